-- What tells every replica to forget its unlocked seeds: each lock moves the epoch on.

CREATE TABLE keyring_lock (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    epoch bigint NOT NULL
);

INSERT INTO keyring_lock (epoch) VALUES (0);
