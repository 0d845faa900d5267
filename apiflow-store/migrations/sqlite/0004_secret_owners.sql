-- Who declared a document, and whether an admin vouched for its references to shared secrets.
ALTER TABLE documents ADD COLUMN author TEXT;
ALTER TABLE documents ADD COLUMN by_admin INTEGER NOT NULL DEFAULT 0;
-- Who saved the older ones is not known. Where everybody is an admin, it was an admin.
UPDATE documents SET by_admin = 1
    WHERE EXISTS (SELECT 1 FROM users) AND NOT EXISTS (SELECT 1 FROM users WHERE NOT is_admin);

ALTER TABLE secrets RENAME COLUMN hosts TO origins;

-- Users' own secrets; those in `secrets` are shared, or generated for a declaration.
CREATE TABLE user_secrets (
    owner TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    origins TEXT NOT NULL,
    sealed BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT;

-- Credentials that were taken out of a declaration, and go with it.
CREATE TABLE generated_secrets (
    name TEXT NOT NULL PRIMARY KEY REFERENCES secrets (name) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    declaration TEXT NOT NULL,
    author TEXT
) STRICT;

CREATE INDEX generated_secrets_declaration ON generated_secrets (kind, declaration);

-- Where a secret without origins of its own may go, by whose declaration. No owner: a shared secret.
CREATE TABLE secret_grants (
    owner TEXT REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    declaration TEXT NOT NULL,
    origin TEXT NOT NULL
) STRICT;

CREATE INDEX secret_grants_name ON secret_grants (name);
CREATE INDEX secret_grants_declaration ON secret_grants (kind, declaration);

-- Both stood among the secrets: grants as `@NAME` with `host:port connector`, owners as `+kind/id` with names.
INSERT INTO secret_grants (owner, name, kind, declaration, origin)
    SELECT DISTINCT NULL, substr(secrets.name, 2), 'connector', substr(entry.value, instr(entry.value, ' ') + 1),
        substr(entry.value, 1, instr(entry.value, ' ') - 1)
    FROM secrets, json_each(secrets.origins) AS entry
    WHERE secrets.name LIKE '@%' AND instr(entry.value, ' ') > 1;
INSERT OR IGNORE INTO generated_secrets (name, kind, declaration, author)
    SELECT entry.value, substr(secrets.name, 2, instr(secrets.name, '/') - 2),
        substr(secrets.name, instr(secrets.name, '/') + 1), NULL
    FROM secrets, json_each(secrets.origins) AS entry
    WHERE secrets.name LIKE '+%' AND entry.value IN (SELECT name FROM secrets);
DELETE FROM secrets WHERE name LIKE '@%' OR name LIKE '+%';
