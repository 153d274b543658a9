-- For the cleanup.
CREATE INDEX service_keys_expires_at_idx ON service_keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX service_keys_revoked_at_idx ON service_keys (revoked_at) WHERE revoked_at IS NOT NULL;
