-- For the cleanup. Sessions that live are not in it, so that it costs a refresh nothing.
CREATE INDEX sessions_ended_at_idx ON sessions (ended_at) WHERE ended_at IS NOT NULL;
