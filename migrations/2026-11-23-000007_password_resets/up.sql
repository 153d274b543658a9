CREATE TABLE password_resets (
    reset_id uuid NOT NULL,
    -- NULL when the address has no account: such a reset behaves like any other, and its code is mailed to nobody.
    user_id uuid,
    code_hash bytea NOT NULL,
    code_attempts smallint NOT NULL,
    code_expires_at timestamptz NOT NULL,
    -- SHA-256 of the reset token, once the code has been exchanged for one.
    token_hash bytea,
    token_expires_at timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    consumed_at timestamptz,
    CONSTRAINT password_resets_pkey PRIMARY KEY (reset_id),
    CONSTRAINT password_resets_token_hash_key UNIQUE (token_hash),
    CONSTRAINT password_resets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT password_resets_token_whole CHECK ((token_hash IS NULL) = (token_expires_at IS NULL)),
    CONSTRAINT password_resets_code_attempts_positive CHECK (code_attempts >= 0)
);

CREATE INDEX password_resets_user_id_idx ON password_resets (user_id);
CREATE INDEX password_resets_expires_at_idx ON password_resets (expires_at);
