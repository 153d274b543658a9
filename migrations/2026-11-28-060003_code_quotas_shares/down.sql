ALTER TABLE code_quotas
    DROP COLUMN wrong_codes,
    DROP COLUMN stranger_at,
    DROP COLUMN issued_known,
    DROP COLUMN issued_to;
