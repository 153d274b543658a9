ALTER TABLE registrations
    DROP COLUMN user_id,
    DROP COLUMN replay_hash;
