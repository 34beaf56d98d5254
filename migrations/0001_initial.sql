CREATE TABLE master_wallets (
    id uuid PRIMARY KEY,
    label text NOT NULL,
    scheme text NOT NULL,
    encrypted_phrase text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX master_wallets_newest ON master_wallets (created_at DESC, id DESC);

CREATE TABLE derived_addresses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES master_wallets (id),
    network text NOT NULL,
    address_index bigint NOT NULL,
    address text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (wallet_id, network, address_index)
);
CREATE INDEX derived_addresses_address ON derived_addresses (address);

-- wallet_id has no foreign key: refused requests name wallets that do not exist, and are written down all the same.
CREATE TABLE audit_logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL,
    status text NOT NULL,
    wallet_id uuid,
    ip_address text NOT NULL,
    details jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX audit_logs_wallet ON audit_logs (wallet_id, created_at);
CREATE INDEX audit_logs_time ON audit_logs (created_at);
