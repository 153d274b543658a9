DROP INDEX sessions_refresh_locked_until_idx;
ALTER TABLE sessions DROP COLUMN refresh_locked_until, DROP COLUMN refresh_failed_at;
