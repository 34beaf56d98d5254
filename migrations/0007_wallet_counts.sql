-- How many wallets there are: a list that is read by pages tells it each time, and count(*) reads as many rows as there are. The database keeps
-- it itself, in whichever way wallets come and go, in several rows that are added up: on one, who adds wallets would wait for each other.

CREATE TABLE wallet_counts (
    slot integer PRIMARY KEY,
    wallets bigint NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION count_wallets() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change bigint := (SELECT count(*) FROM changed) * TG_ARGV[0]::integer;
BEGIN
    IF change <> 0 THEN
        INSERT INTO wallet_counts VALUES (pg_backend_pid() % 16, change)
        ON CONFLICT (slot) DO UPDATE SET wallets = wallet_counts.wallets + excluded.wallets;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION count_no_wallets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM wallet_counts;
    RETURN NULL;
END $$;

CREATE TRIGGER count_added AFTER INSERT ON master_wallets
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_wallets('1');
CREATE TRIGGER count_deleted AFTER DELETE ON master_wallets
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_wallets('-1');
CREATE TRIGGER count_truncated AFTER TRUNCATE ON master_wallets
    FOR EACH STATEMENT EXECUTE FUNCTION count_no_wallets();

-- Behind the triggers, which lock out whoever might add one meanwhile.
INSERT INTO wallet_counts SELECT 0, count(*) FROM master_wallets;
