-- One month of the ledger. Times are milliseconds since 1970 UTC, money is nano-dollars, ids 16 bytes, lists JSON.

-- Clustered by request: its ids grow with time, so rows are appended at the right edge of one tree.
CREATE TABLE attempts (
    request_id            BLOB    NOT NULL,
    ordinal               INTEGER NOT NULL,
    origin                TEXT    NOT NULL,
    organisation_id       BLOB    NOT NULL,
    team_id               BLOB,
    user_id               BLOB,
    key_id                BLOB    NOT NULL,
    end_user              TEXT,
    session               TEXT,
    tags                  TEXT,
    experiment            TEXT,
    variant               TEXT,
    operation             TEXT    NOT NULL,
    streamed              INTEGER NOT NULL,
    model_asked           TEXT    NOT NULL,
    model                 TEXT    NOT NULL,
    provider              TEXT    NOT NULL,
    account               TEXT    NOT NULL,
    credential            TEXT    NOT NULL,
    upstream_model        TEXT    NOT NULL,
    place                 TEXT,
    price_version         TEXT    NOT NULL,
    bound                 INTEGER NOT NULL,
    opened_at             INTEGER NOT NULL,
    state                 TEXT    NOT NULL,
    input_tokens          INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    audio_input_tokens    INTEGER NOT NULL,
    audio_output_tokens   INTEGER NOT NULL,
    image_input_tokens    INTEGER NOT NULL,
    image_output_tokens   INTEGER NOT NULL,
    searches              INTEGER NOT NULL,
    images                INTEGER NOT NULL,
    pages                 INTEGER NOT NULL,
    seconds               INTEGER NOT NULL,
    usage_source          TEXT    NOT NULL,
    cost                  INTEGER NOT NULL,
    charge                INTEGER NOT NULL,
    overrun               INTEGER NOT NULL,
    model_served          TEXT,
    status                INTEGER,
    cause                 TEXT,
    upstream_id           TEXT,
    finish                TEXT,
    first_content_ms      INTEGER,
    total_ms              INTEGER NOT NULL,
    PRIMARY KEY (request_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_time ON attempts (opened_at);

-- Only second and later attempts: what counting distinct requests needs beside the rollups. Rows of requests that
-- went well the first time cost nothing here.
CREATE INDEX attempts_later ON attempts (request_id, ordinal) WHERE ordinal > 1;

CREATE TABLE requests (
    request_id        BLOB    NOT NULL PRIMARY KEY,
    organisation_id   BLOB,
    team_id           BLOB,
    user_id           BLOB,
    key_id            BLOB,
    end_user          TEXT,
    session           TEXT,
    tags              TEXT,
    experiment        TEXT,
    variant           TEXT,
    operation         TEXT    NOT NULL,
    streamed          INTEGER NOT NULL,
    model_asked       TEXT    NOT NULL,
    client_request_id TEXT,
    arrived_at        INTEGER NOT NULL,
    total_ms          INTEGER NOT NULL,
    attempts          INTEGER NOT NULL,
    final_attempt     INTEGER,
    status            INTEGER NOT NULL,
    error             TEXT,
    losses            TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE corrections (
    request_id BLOB    NOT NULL,
    ordinal    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    cost       INTEGER NOT NULL,
    charge     INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (request_id, ordinal, at)
) STRICT, WITHOUT ROWID;

-- Sums over attempts and their corrections. `day` counts days since 1970 UTC; an absent team or user is x''.
-- `first_attempts` counts rows with ordinal 1, so a request once in all groups together.
CREATE TABLE usage_daily (
    day                   INTEGER NOT NULL,
    organisation_id       BLOB    NOT NULL,
    team_id               BLOB    NOT NULL,
    user_id               BLOB    NOT NULL,
    key_id                BLOB    NOT NULL,
    model                 TEXT    NOT NULL,
    provider              TEXT    NOT NULL,
    account               TEXT    NOT NULL,
    first_attempts        INTEGER NOT NULL,
    attempts              INTEGER NOT NULL,
    failed                INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    audio_input_tokens    INTEGER NOT NULL,
    audio_output_tokens   INTEGER NOT NULL,
    image_input_tokens    INTEGER NOT NULL,
    image_output_tokens   INTEGER NOT NULL,
    searches              INTEGER NOT NULL,
    images                INTEGER NOT NULL,
    pages                 INTEGER NOT NULL,
    seconds               INTEGER NOT NULL,
    cost                  INTEGER NOT NULL,
    charge                INTEGER NOT NULL,
    PRIMARY KEY (day, organisation_id, team_id, user_id, key_id, model, provider, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE spend_daily (
    day             INTEGER NOT NULL,
    organisation_id BLOB    NOT NULL,
    key_id          BLOB    NOT NULL,
    charge          INTEGER NOT NULL,
    PRIMARY KEY (day, organisation_id, key_id)
) STRICT, WITHOUT ROWID;
