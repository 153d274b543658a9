-- The tag of each attempt, in the order of attempted_at: a keyed hash of its e-mail address and device, by which a completed
-- login takes its own failures back. Missing for attempts from before.
ALTER TABLE login_networks ADD COLUMN tags bytea[] NOT NULL DEFAULT '{}';
ALTER TABLE account_lockouts ADD COLUMN tags bytea[] NOT NULL DEFAULT '{}';
