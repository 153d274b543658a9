CREATE TABLE sessions (
    session_id uuid NOT NULL,
    user_id uuid NOT NULL,
    device_id text NOT NULL,
    device_name text NOT NULL,
    ip_address inet NOT NULL,
    user_agent text NOT NULL,
    -- Which refresh token of the session is the current one; the token itself is stored nowhere.
    generation bigint NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    -- When the current generation replaced the one before.
    rotated_at timestamptz NOT NULL,
    -- The earlier of the idle and the absolute limit.
    expires_at timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    CONSTRAINT sessions_pkey PRIMARY KEY (session_id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT sessions_end_whole CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT sessions_generation_positive CHECK (generation > 0),
    CONSTRAINT sessions_expiry_ordered CHECK (expires_at <= absolute_expires_at)
);

CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE UNIQUE INDEX sessions_live_device_key ON sessions (user_id, device_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
