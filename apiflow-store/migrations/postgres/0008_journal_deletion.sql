-- Commits write the job's row and its journal in one statement: checking a reference for each row would cost a third of
-- it. Deleting a job still takes its journal with it.
ALTER TABLE job_events DROP CONSTRAINT job_events_job_fkey;
ALTER TABLE job_steps DROP CONSTRAINT job_steps_job_fkey;
ALTER TABLE job_calls DROP CONSTRAINT job_calls_job_fkey;

CREATE FUNCTION delete_journal() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM job_events WHERE job = OLD.number;
    DELETE FROM job_steps WHERE job = OLD.number;
    DELETE FROM job_calls WHERE job = OLD.number;
    RETURN NULL;
END
$$;

CREATE TRIGGER jobs_delete_journal AFTER DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION delete_journal();
