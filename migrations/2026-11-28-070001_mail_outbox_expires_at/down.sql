DROP INDEX mail_outbox_pending_idx;
ALTER TABLE mail_outbox DROP COLUMN expires_at;
