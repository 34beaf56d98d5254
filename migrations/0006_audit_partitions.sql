-- The audit log is partitioned by month (UTC), with what it holds so far as the first partition. See docs/audit-log.md.

SET LOCAL TimeZone = 'UTC';

-- Reads every row once, while others write. With it, attaching the table needs to read none.
ALTER TABLE audit_logs VALIDATE CONSTRAINT audit_logs_bound;

LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE;

ALTER TABLE audit_logs RENAME TO audit_logs_first;
ALTER INDEX audit_logs_pkey RENAME TO audit_logs_first_pkey;
ALTER INDEX audit_logs_by_wallet RENAME TO audit_logs_first_by_wallet;
ALTER INDEX audit_logs_by_time RENAME TO audit_logs_first_by_time;

-- Each partition has its own primary key, id: all ids come from one sequence, and a key of the whole table would have to hold the time.
CREATE TABLE audit_logs (
    id bigint NOT NULL,
    action text NOT NULL,
    status text NOT NULL,
    wallet_id uuid,
    request_id text NOT NULL,
    ip_address text NOT NULL,
    api_key_id text NOT NULL,
    details jsonb NOT NULL,
    created_at timestamptz NOT NULL
) PARTITION BY RANGE (created_at);

CREATE INDEX audit_logs_by_wallet ON audit_logs (wallet_id, created_at DESC);
CREATE INDEX audit_logs_by_time ON audit_logs (created_at DESC);

DO $$
DECLARE
    last bigint := nextval(pg_get_serial_sequence('audit_logs_first', 'id'));
    bound text := (SELECT substring(pg_get_constraintdef(oid) FROM '''(.*)''')
        FROM pg_constraint WHERE conrelid = 'audit_logs_first'::regclass AND conname = 'audit_logs_bound');
    may record;
BEGIN
    ALTER TABLE audit_logs_first ALTER id DROP IDENTITY;
    EXECUTE format('ALTER TABLE audit_logs ALTER id ADD GENERATED ALWAYS AS IDENTITY (START WITH %s)', last);
    EXECUTE format('ALTER TABLE audit_logs ATTACH PARTITION audit_logs_first FOR VALUES FROM (MINVALUE) TO (%L)', bound);
    ALTER TABLE audit_logs_first DROP CONSTRAINT audit_logs_bound;
    ALTER TABLE audit_logs ATTACH PARTITION audit_logs_default DEFAULT;
    -- Whoever might read or write it still may.
    FOR may IN
        SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS role, is_grantable
        FROM pg_class, aclexplode(relacl) WHERE oid = 'audit_logs_first'::regclass AND grantee <> relowner
    LOOP
        EXECUTE format('GRANT %s ON audit_logs TO %s', may.privilege_type, may.role)
            || CASE WHEN may.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END;
    END LOOP;
END $$;

-- Make the partitions of this month and of those ahead that are missing, behind the last there is, and return their names. It waits for others
-- for a second at most, and who writes into other partitions does not wait for it. A month that has rows in audit_logs_default stays there.
CREATE FUNCTION make_audit_partitions(months_ahead integer) RETURNS SETOF text
LANGUAGE plpgsql SET TimeZone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    month timestamptz := date_trunc('month', now());
    name text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(4096120519477310206) THEN
        RETURN; -- Somebody else is at it.
    END IF;
    month := greatest(month, (
        SELECT max(substring(pg_get_expr(relpartbound, oid) FROM 'TO \(''(.*)''\)')::timestamptz)
        FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'audit_logs'::regclass));
    WHILE month <= now() + make_interval(months => months_ahead) LOOP
        name := to_char(month, '"audit_logs_"YYYY_MM');
        BEGIN
            -- Attached, not made as a partition, which would keep everybody from the whole log.
            EXECUTE format('CREATE TABLE %I (LIKE audit_logs_default INCLUDING INDEXES)', name);
            EXECUTE format('ALTER TABLE audit_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                name, month, month + interval '1 month');
            RETURN NEXT name;
        EXCEPTION WHEN check_violation OR duplicate_table THEN
            NULL; -- Its rows are elsewhere already, and stay there.
        END;
        month := month + interval '1 month';
    END LOOP;
END $$;

SELECT make_audit_partitions(6);
