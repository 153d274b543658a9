ALTER TABLE password_resets
    -- What wrong codes are counted by: a keyed hash of the address. NULL for resets of the version before.
    ADD COLUMN address_hash bytea;
