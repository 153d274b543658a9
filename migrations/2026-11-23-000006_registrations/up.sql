-- Staged registrations: there is no user before the address is proved.
CREATE TABLE registrations (
    registration_id uuid NOT NULL,
    email text NOT NULL,
    display_name text NOT NULL,
    -- NULL once consumed: nothing is kept of a password that became a user's, or never will.
    password_hash text,
    locale text,
    code_hash bytea NOT NULL,
    code_attempts smallint NOT NULL,
    code_expires_at timestamptz NOT NULL,
    resend_available_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Set when it became a user, or was dropped because another registration of its address did.
    consumed_at timestamptz,
    CONSTRAINT registrations_pkey PRIMARY KEY (registration_id),
    CONSTRAINT registrations_email_canonical CHECK (email = lower(email)),
    CONSTRAINT registrations_password_until_consumed CHECK ((password_hash IS NULL) = (consumed_at IS NOT NULL)),
    CONSTRAINT registrations_code_attempts_positive CHECK (code_attempts >= 0)
);

CREATE INDEX registrations_email_idx ON registrations (email);
CREATE INDEX registrations_expires_at_idx ON registrations (expires_at);
