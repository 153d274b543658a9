-- The order in which lockouts are listed: by their end, so that a list touches the rows that are locked now and no others. The
-- new indexes contain the old ones.
CREATE INDEX account_lockouts_end_idx ON account_lockouts (locked_until, address_hash, device_id)
    WHERE locked_until IS NOT NULL;
CREATE INDEX login_networks_end_idx ON login_networks (locked_until, network) WHERE locked_until IS NOT NULL;
-- Accounts that stay locked until their password is reset have no end.
CREATE INDEX account_lockouts_in_a_row_idx ON account_lockouts (failures_in_a_row, address_hash, device_id);
DROP INDEX account_lockouts_locked_until_idx;
DROP INDEX login_networks_locked_until_idx;
