-- How often the job was begun alone since its last commit: only those begins count against it when its worker crashes.
ALTER TABLE jobs ADD COLUMN alone_tries BIGINT NOT NULL DEFAULT 0;
