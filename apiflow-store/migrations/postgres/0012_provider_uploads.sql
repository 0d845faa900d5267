-- Files that were uploaded to providers, and what calls send instead of them until they expire.
CREATE TABLE provider_uploads (
    -- Digest of the content, the provider and the credentials.
    upload_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX provider_uploads_by_end ON provider_uploads (expires_at);
