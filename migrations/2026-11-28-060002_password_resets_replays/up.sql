-- A reset token is derived from the reset's identifier: nothing of it is stored, only when it ends. `token_hash` is not
-- written any more.
ALTER TABLE password_resets
    -- A keyed hash of code and device of the attempt that was right: the same one again gets the same token.
    ADD COLUMN replay_hash bytea,
    DROP CONSTRAINT password_resets_token_whole,
    ADD CONSTRAINT password_resets_replay_with_token CHECK (replay_hash IS NULL OR token_expires_at IS NOT NULL),
    -- A reset outlives its user, so that it goes on answering like one that never had a user.
    DROP CONSTRAINT password_resets_user_id_fkey,
    ADD CONSTRAINT password_resets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE SET NULL;
