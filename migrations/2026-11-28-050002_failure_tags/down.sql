ALTER TABLE account_lockouts DROP COLUMN tags;
ALTER TABLE login_networks DROP COLUMN tags;
