-- What internal services authenticate with. Every replica has them in memory; whoever writes here more than a key's last use
-- writes the version of the feed `service_keys` in the same transaction.
CREATE TABLE service_keys (
    service_key_id uuid NOT NULL,
    name text NOT NULL,
    -- The first characters of the key, to find it by in a configuration.
    key_prefix text NOT NULL,
    -- SHA-256 of its random part; the key itself is stored nowhere.
    key_hash bytea NOT NULL,
    permissions text[] NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it ends by itself; NULL when it is good until it is revoked.
    expires_at timestamptz,
    -- Revoked ones stay for a while, so that who still presents one is told.
    revoked_at timestamptz,
    -- True to a minute.
    last_used_at timestamptz,
    CONSTRAINT service_keys_pkey PRIMARY KEY (service_key_id),
    CONSTRAINT service_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT service_keys_key_hash_length CHECK (octet_length(key_hash) = 32),
    CONSTRAINT service_keys_permissions_some CHECK (cardinality(permissions) > 0),
    CONSTRAINT service_keys_expiry_ordered CHECK (expires_at > created_at)
);
