-- A network, and a device that the account knows, have shares of their own of an address's codes; wrong reset codes count per
-- address. `address_hash` is of the address without a tag behind `+`.
ALTER TABLE code_quotas
    -- For each code of `issued_at`: a keyed hash of the known device, or of the network, that asked for it.
    ADD COLUMN issued_to bytea[] NOT NULL DEFAULT '{}',
    -- For each code of `issued_at`: whether a known device asked for it.
    ADD COLUMN issued_known boolean[] NOT NULL DEFAULT '{}',
    -- When a stranger was last issued a code.
    ADD COLUMN stranger_at timestamptz,
    -- How many reset codes were wrong since one was right or a known device logged in.
    ADD COLUMN wrong_codes integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT code_quotas_wrong_codes_positive CHECK (wrong_codes >= 0);
