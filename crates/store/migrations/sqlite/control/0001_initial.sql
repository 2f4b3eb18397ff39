-- Keys, admin tokens and catalogue versions. Times are milliseconds since 1970 UTC, ids 16 bytes, lists JSON.

CREATE TABLE keys (
    id              BLOB    NOT NULL PRIMARY KEY,
    organisation_id BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    team_id         BLOB,
    user_id         BLOB,
    hash            BLOB    NOT NULL,
    hint            TEXT    NOT NULL,
    models          TEXT    NOT NULL,
    budgets         TEXT    NOT NULL,
    limits          TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    revoked_at      INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX keys_hash ON keys (hash);
CREATE UNIQUE INDEX keys_living_name ON keys (organisation_id, name) WHERE revoked_at IS NULL;

-- Grows with every change to a key of the organisation, whoever makes it: triggers, so that no writer can forget.
CREATE TABLE key_versions (
    organisation_id BLOB    NOT NULL PRIMARY KEY,
    version         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER keys_inserted AFTER INSERT ON keys BEGIN
    INSERT INTO key_versions (organisation_id, version) VALUES (NEW.organisation_id, 1)
    ON CONFLICT (organisation_id) DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER keys_updated AFTER UPDATE ON keys BEGIN
    UPDATE key_versions SET version = version + 1 WHERE organisation_id = NEW.organisation_id;
END;

CREATE TRIGGER keys_deleted AFTER DELETE ON keys BEGIN
    UPDATE key_versions SET version = version + 1 WHERE organisation_id = OLD.organisation_id;
END;

-- A token without an organisation is the installation's.
CREATE TABLE admin_tokens (
    hash            BLOB    NOT NULL PRIMARY KEY,
    organisation_id BLOB,
    name            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    revoked_at      INTEGER
) STRICT, WITHOUT ROWID;

-- `previous` is what was current when the version was stored: where a rollback goes.
CREATE TABLE catalogue_versions (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    bundle    BLOB    NOT NULL,
    stored_at INTEGER NOT NULL,
    previous  INTEGER
) STRICT;

-- One row; no number means the catalogue that came with the program.
CREATE TABLE catalogue_current (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    number   INTEGER
) STRICT;

INSERT INTO catalogue_current (only_row, number) VALUES (1, NULL);
