-- Wallets, the addresses derived from them, and the record of what was done.

CREATE TABLE master_wallets (
    id uuid PRIMARY KEY,
    label text NOT NULL CHECK (char_length(label) BETWEEN 1 AND 100),
    scheme text NOT NULL CHECK (scheme IN ('standard', 'v1_0_8')),
    encrypted_phrase text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX master_wallets_newest_first ON master_wallets (created_at DESC, id DESC);

CREATE TABLE derived_addresses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES master_wallets (id),
    network text NOT NULL,
    address_index integer NOT NULL CHECK (address_index >= 0),
    address text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (wallet_id, network, address_index)
);

CREATE INDEX derived_addresses_by_address ON derived_addresses (address);

-- A refused request may name a wallet that does not exist, so wallet_id refers to nothing.
CREATE TABLE audit_logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL,
    status text NOT NULL,
    wallet_id uuid,
    request_id text NOT NULL,
    ip_address text NOT NULL,
    api_key_id text NOT NULL,
    details jsonb NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX audit_logs_by_wallet ON audit_logs (wallet_id, created_at DESC);
CREATE INDEX audit_logs_by_time ON audit_logs (created_at DESC);
