ALTER TABLE registrations
    -- A keyed hash of code and device of the attempt that was right: the same one again gets the same answer.
    ADD COLUMN replay_hash bytea,
    -- The user that it became. NULL before, and when the user is gone.
    ADD COLUMN user_id uuid,
    ADD CONSTRAINT registrations_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE SET NULL,
    ADD CONSTRAINT registrations_replay_when_consumed CHECK (replay_hash IS NULL OR consumed_at IS NOT NULL);

CREATE INDEX registrations_user_id_idx ON registrations (user_id);
