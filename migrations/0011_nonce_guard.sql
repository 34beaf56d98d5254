-- Which transaction was signed with which nonce of which account, so that no other is signed with it unawares. Kept for as long as the accounts are.

CREATE TABLE signed_nonces (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain text NOT NULL,
    address text NOT NULL,
    nonce text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    is_replacement boolean NOT NULL,
    signed_at timestamptz NOT NULL,
    UNIQUE (chain, address, nonce)
);
