CREATE TABLE users (
    user_id uuid NOT NULL,
    email text NOT NULL,
    -- A PHC string; NULL while an invited user has not set a password.
    password_hash text,
    display_name text NOT NULL,
    locale text,
    state text NOT NULL,
    -- Counts every change of the row; a login is written only against the revision that it was decided on.
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    verified_at timestamptz NOT NULL,
    last_login_at timestamptz,
    CONSTRAINT users_pkey PRIMARY KEY (user_id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_email_canonical CHECK (email = lower(email)),
    CONSTRAINT users_state_known CHECK (state IN ('ACTIVE', 'SUSPENDED'))
);
