-- Which key a ciphertext is under, as it begins: vault:v3. Empty where it names none. Rewrapping finds by it what is due.
ALTER TABLE master_wallets
    ADD COLUMN key_version text NOT NULL
    GENERATED ALWAYS AS (coalesce(substring(encrypted_phrase FROM '^([a-z]+:v[1-9][0-9]{0,8}):'), '')) STORED;

CREATE INDEX master_wallets_by_key_version ON master_wallets (key_version, id);
