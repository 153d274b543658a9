-- How the attempts at an account's password have gone since the last right one: of strangers together, and of each device that
-- has signed in to it before. An address without an account has them too, so that it locks alike.
CREATE TABLE account_lockouts (
    -- A keyed hash of the address.
    address_hash bytea NOT NULL,
    -- The device that is known to the account; empty for all strangers together. No foreign key: there may be no account.
    device_id text NOT NULL,
    -- Whose account it is, if it was one at the last attempt. No foreign key: checking it would lock the user's row, which
    -- those who set a password lock first.
    user_id uuid,
    -- When the attempts within the window were made, oldest first. One counts as failed until it has succeeded.
    attempted_at timestamptz[] NOT NULL,
    failures_in_a_row integer NOT NULL,
    -- How many of them led to a lock; each lasts twice as long as the one before.
    locks integer NOT NULL,
    locked_until timestamptz,
    -- When the owner was told, which happens once until the password is right again.
    noticed_at timestamptz,
    -- When nothing of it matters any more.
    expires_at timestamptz NOT NULL,
    CONSTRAINT account_lockouts_pkey PRIMARY KEY (address_hash, device_id),
    CONSTRAINT account_lockouts_counts_positive CHECK (failures_in_a_row >= 0 AND locks >= 0)
);

CREATE INDEX account_lockouts_locked_until_idx ON account_lockouts (locked_until);
CREATE INDEX account_lockouts_expires_at_idx ON account_lockouts (expires_at);
