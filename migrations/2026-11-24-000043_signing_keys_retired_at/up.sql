-- For the cleanup.
CREATE INDEX signing_keys_retired_at_idx ON signing_keys (retired_at) WHERE retired_at IS NOT NULL;
