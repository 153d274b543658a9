-- The version before stores a hash of each token: resets whose token has none would break its rule.
DELETE FROM password_resets WHERE token_hash IS NULL AND token_expires_at IS NOT NULL;

ALTER TABLE password_resets
    DROP CONSTRAINT password_resets_user_id_fkey,
    ADD CONSTRAINT password_resets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    DROP COLUMN replay_hash,
    ADD CONSTRAINT password_resets_token_whole CHECK ((token_hash IS NULL) = (token_expires_at IS NULL));
