-- Refreshes that failed with a token of the session: used twice, or from another device. Too many lock its refresh for a while.
ALTER TABLE sessions
    ADD COLUMN refresh_failed_at timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN refresh_locked_until timestamptz;

CREATE INDEX sessions_refresh_locked_until_idx ON sessions (refresh_locked_until, session_id)
    WHERE refresh_locked_until IS NOT NULL;
