-- The job that a job reruns; it stays here when that job is deleted.
ALTER TABLE jobs ADD COLUMN rerun_of TEXT;
