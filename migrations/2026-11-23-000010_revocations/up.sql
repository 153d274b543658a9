-- The feed that every replica tails: sessions whose access tokens must not be believed although they verify.
CREATE TABLE revocations (
    -- The order of writing; commits may become visible out of it, so readers overlap.
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    -- No foreign key: the revocation outlives a deleted user's session.
    session_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    -- When the last access token that it concerns has expired by itself.
    expires_at timestamptz NOT NULL,
    CONSTRAINT revocations_pkey PRIMARY KEY (sequence)
);

CREATE INDEX revocations_expires_at_idx ON revocations (expires_at);
