-- Who declared a document, and whether an admin vouched for its references to shared secrets.
ALTER TABLE documents ADD COLUMN author TEXT;
ALTER TABLE documents ADD COLUMN by_admin BOOLEAN NOT NULL DEFAULT FALSE;
-- Who saved the older ones is not known. Where everybody is an admin, it was an admin.
UPDATE documents SET by_admin = TRUE
    WHERE EXISTS (SELECT 1 FROM users) AND NOT EXISTS (SELECT 1 FROM users WHERE NOT is_admin);

ALTER TABLE secrets RENAME COLUMN hosts TO origins;

-- Users' own secrets; those in `secrets` are shared, or generated for a declaration.
CREATE TABLE user_secrets (
    owner TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    origins TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (owner, name)
);

-- Credentials that were taken out of a declaration, and go with it.
CREATE TABLE generated_secrets (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES secrets (name) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    declaration TEXT COLLATE "C" NOT NULL,
    author TEXT
);

CREATE INDEX generated_secrets_declaration ON generated_secrets (kind, declaration);

-- Where a secret without origins of its own may go, by whose declaration. No owner: a shared secret.
CREATE TABLE secret_grants (
    owner TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    declaration TEXT COLLATE "C" NOT NULL,
    origin TEXT NOT NULL
);

CREATE INDEX secret_grants_name ON secret_grants (name);
CREATE INDEX secret_grants_declaration ON secret_grants (kind, declaration);

-- Both stood among the secrets: grants as `@NAME` with `host:port connector`, owners as `+kind/id` with names.
INSERT INTO secret_grants (owner, name, kind, declaration, origin)
    SELECT DISTINCT NULL::text, substr(secrets.name, 2), 'connector', substr(entry.value, strpos(entry.value, ' ') + 1),
        substr(entry.value, 1, strpos(entry.value, ' ') - 1)
    FROM secrets, json_array_elements_text(secrets.origins::json) AS entry (value)
    WHERE secrets.name LIKE '@%' AND strpos(entry.value, ' ') > 1;
INSERT INTO generated_secrets (name, kind, declaration, author)
    SELECT entry.value, substr(secrets.name, 2, strpos(secrets.name, '/') - 2),
        substr(secrets.name, strpos(secrets.name, '/') + 1), NULL
    FROM secrets, json_array_elements_text(secrets.origins::json) AS entry (value)
    WHERE secrets.name LIKE '+%' AND entry.value IN (SELECT name FROM secrets)
    ON CONFLICT DO NOTHING;
DELETE FROM secrets WHERE name LIKE '@%' OR name LIKE '+%';
