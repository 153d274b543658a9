-- When codes were last mailed to an address, so that nobody's mailbox can be flooded nor their codes guessed at length.
CREATE TABLE code_quotas (
    -- A keyed hash of the address.
    address_hash bytea NOT NULL,
    -- One time for each code of the current window, oldest first.
    issued_at timestamptz[] NOT NULL,
    -- When the last of them leaves the window.
    expires_at timestamptz NOT NULL,
    CONSTRAINT code_quotas_pkey PRIMARY KEY (address_hash)
);

CREATE INDEX code_quotas_expires_at_idx ON code_quotas (expires_at);
