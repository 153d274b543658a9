-- Which accounts an address has failed to log in to of late: one that tries many is locked out of logging in.
CREATE TABLE login_networks (
    -- The IPv4 address, or the IPv6 /64.
    network cidr NOT NULL,
    -- Keyed hashes of the addresses of these accounts, one for each attempt that failed or is under way, oldest first.
    address_hashes bytea[] NOT NULL,
    -- When each attempt was made.
    attempted_at timestamptz[] NOT NULL,
    locked_until timestamptz,
    -- When nothing of it matters any more.
    expires_at timestamptz NOT NULL,
    CONSTRAINT login_networks_pkey PRIMARY KEY (network),
    CONSTRAINT login_networks_attempts_whole CHECK (cardinality(address_hashes) = cardinality(attempted_at))
);

CREATE INDEX login_networks_locked_until_idx ON login_networks (locked_until);
CREATE INDEX login_networks_expires_at_idx ON login_networks (expires_at);
