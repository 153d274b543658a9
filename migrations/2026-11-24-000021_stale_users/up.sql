-- The other half of the revocation feed, in one order with it: users whose roles have changed, so that the access tokens
-- issued before must not be believed although they verify and their sessions live on.
CREATE TABLE stale_users (
    -- The order of writing, shared with the revocations, so that readers follow both by one position.
    sequence bigint NOT NULL DEFAULT nextval('revocations_sequence_seq'),
    user_id uuid NOT NULL,
    -- Tokens that carry an earlier revision of the user are stale.
    revision bigint NOT NULL,
    -- The same for those who know no more of a token than its `iat`, which has whole seconds.
    issued_before timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    -- When the last access token that it concerns has expired by itself.
    expires_at timestamptz NOT NULL,
    CONSTRAINT stale_users_pkey PRIMARY KEY (sequence),
    CONSTRAINT stale_users_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
);

CREATE INDEX stale_users_user_id_idx ON stale_users (user_id);
CREATE INDEX stale_users_expires_at_idx ON stale_users (expires_at);

-- No access token of the user is issued with an earlier `iat` than this; NULL while its roles have never changed.
ALTER TABLE users ADD COLUMN tokens_issued_from timestamptz;
