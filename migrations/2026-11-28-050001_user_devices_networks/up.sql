-- A device is known to an account on the network that it logged in or refreshed from, and not elsewhere: a device id alone is no
-- secret. Rows from before, and those of a replica that is older, have a network that no client has; they still tell that the
-- device is not new to the owner.
ALTER TABLE user_devices
    ADD COLUMN network cidr NOT NULL DEFAULT '::/0',
    DROP CONSTRAINT user_devices_pkey,
    ADD CONSTRAINT user_devices_pkey PRIMARY KEY (user_id, device_id, network),
    -- A refresh writes its row with its session's row locked. Checking the key would lock the user's row after that, which
    -- others lock first: a deadlock. Whoever deletes a user deletes these rows too, and the cleanup finds what is left.
    DROP CONSTRAINT user_devices_user_id_fkey;

INSERT INTO user_devices (user_id, device_id, network, first_used_at, last_used_at)
SELECT user_id, device_id, counted, min(created_at), max(last_used_at)
FROM sessions, LATERAL (
    -- Of IPv6 the /64, as `counted_network` has it.
    SELECT network(set_masklen(ip_address, least(masklen(ip_address), 64)))::cidr AS counted
) AS place
GROUP BY user_id, device_id, counted;

CREATE INDEX user_devices_last_used_at_idx ON user_devices (last_used_at);
