CREATE INDEX account_lockouts_locked_until_idx ON account_lockouts (locked_until);
CREATE INDEX login_networks_locked_until_idx ON login_networks (locked_until);
DROP INDEX account_lockouts_in_a_row_idx;
DROP INDEX login_networks_end_idx;
DROP INDEX account_lockouts_end_idx;
