-- The devices that an account is known to use: a login from another one is told to its owner.
CREATE TABLE user_devices (
    user_id uuid NOT NULL,
    device_id text NOT NULL,
    first_used_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    CONSTRAINT user_devices_pkey PRIMARY KEY (user_id, device_id),
    CONSTRAINT user_devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
);
