-- Which audit rows of 1.0.8 are in audit_logs already: taking over again must neither lose nor double one.

CREATE TABLE taken_over_audit_rows (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32)
);
