DELETE FROM user_devices d
WHERE NOT EXISTS (SELECT FROM users u WHERE u.user_id = d.user_id) OR EXISTS (
    SELECT FROM user_devices other
    WHERE other.user_id = d.user_id AND other.device_id = d.device_id
        AND (other.last_used_at, other.network) > (d.last_used_at, d.network)
);

DROP INDEX user_devices_last_used_at_idx;
ALTER TABLE user_devices
    DROP CONSTRAINT user_devices_pkey,
    ADD CONSTRAINT user_devices_pkey PRIMARY KEY (user_id, device_id),
    ADD CONSTRAINT user_devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    DROP COLUMN network;
