-- What authenticates addresses, so that one that somebody else has written here, or into Redis, is noticed. The key for it is a mnemonic of
-- the service's own, encrypted as those of wallets are.
CREATE TABLE address_keys (
    number smallint PRIMARY KEY CHECK (number > 0),
    encrypted_phrase text NOT NULL,
    created_at timestamptz NOT NULL
);

-- '' where an address was never sealed: it is derived again, and sealed, when it is next asked for.
ALTER TABLE derived_addresses ADD COLUMN seal text NOT NULL DEFAULT '';

-- The extended public keys from which addresses are derived without a seed, sealed under the same key.
CREATE TABLE account_keys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES master_wallets (id),
    path text NOT NULL,
    sealed text NOT NULL,
    UNIQUE (wallet_id, path)
);
