-- The contents of artifacts; the files are in the object store.
CREATE TABLE artifact_blobs (
    -- Path in the object store.
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    -- Number of artifacts with this content.
    uses BIGINT NOT NULL,
    -- When the last of them was deleted: no new one takes it, its file is deleted, then this row.
    released_at BIGINT
);
CREATE UNIQUE INDEX artifact_blobs_content ON artifact_blobs (sha256, size_bytes) WHERE released_at IS NULL;
CREATE INDEX artifact_blobs_released ON artifact_blobs (released_at) WHERE released_at IS NOT NULL;

CREATE TABLE artifacts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    blob TEXT COLLATE "C" NOT NULL REFERENCES artifact_blobs (key),
    mime TEXT NOT NULL,
    -- image, video, audio or file.
    kind TEXT NOT NULL,
    name TEXT COLLATE "C",
    width BIGINT,
    height BIGINT,
    duration_s DOUBLE PRECISION,
    owner TEXT COLLATE "C",
    -- Where an output comes from, as JSON.
    provenance TEXT,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX artifacts_created ON artifacts (created_at, id);
CREATE INDEX artifacts_owner ON artifacts (owner, created_at, id) WHERE owner IS NOT NULL;
CREATE INDEX artifacts_used ON artifacts (last_used_at, id);
CREATE INDEX artifacts_blob ON artifacts (blob);

-- The jobs that made an artifact or use it.
CREATE TABLE artifact_references (
    job TEXT COLLATE "C" NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    artifact TEXT COLLATE "C" NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    PRIMARY KEY (job, artifact)
);
CREATE INDEX artifact_references_artifact ON artifact_references (artifact);

-- What each user keeps; the empty name is that of nobody.
CREATE TABLE artifact_usage (
    owner TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    artifacts BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);

-- When a task is due that one of all processes does.
CREATE TABLE periodic_tasks (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    due_at BIGINT NOT NULL
);
