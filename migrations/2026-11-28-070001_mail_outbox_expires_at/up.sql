-- When a mail is not worth sending any more, because its code has expired; null where it holds no code.
ALTER TABLE mail_outbox ADD COLUMN expires_at timestamptz;

-- The newest mail goes first: its reader is waiting for it.
CREATE INDEX mail_outbox_pending_idx ON mail_outbox (created_at DESC) WHERE delivered_at IS NULL AND dead_at IS NULL;
