-- The audit log becomes partitioned by month, in two steps, so that a log of many millions of rows is locked for a moment only. Its rows
-- so far stay where they are and become the first partition. Here new rows are held to the bound of that partition, and no old row is read.
-- It ends where the month after next begins, so that what is written meanwhile fits; where there are no rows yet, where this month begins.

SET LOCAL TimeZone = 'UTC';
SET LOCAL enable_seqscan = off; -- Late rows are found by the index, whatever the planner knows of the table.
LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE;

-- For rows that no partition is for: a row must never fail because of its time.
CREATE TABLE audit_logs_default (LIKE audit_logs INCLUDING INDEXES);

DO $$
DECLARE
    bound timestamptz := date_trunc('month', now());
BEGIN
    IF EXISTS (SELECT FROM audit_logs) THEN
        bound := bound + interval '2 months';
    END IF;
    -- Rows of a clock that was wrong.
    WITH late AS (DELETE FROM audit_logs WHERE created_at >= bound RETURNING *) INSERT INTO audit_logs_default SELECT * FROM late;
    EXECUTE format('ALTER TABLE audit_logs ADD CONSTRAINT audit_logs_bound CHECK (created_at < %L) NOT VALID', bound);
END $$;
