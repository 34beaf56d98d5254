-- Requests that may come again (Idempotency-Key): who works on one, and what it was answered. The answer is written in the transaction of what
-- it tells of. Names are digests; a fingerprint of the body is keyed with what the client sent as key, which is not kept.

CREATE TABLE idempotent_requests (
    name bytea PRIMARY KEY CHECK (octet_length(name) = 32),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    claim uuid NOT NULL,
    claimed_at timestamptz NOT NULL,
    answer bytea
);

CREATE INDEX idempotent_requests_by_time ON idempotent_requests (claimed_at);
