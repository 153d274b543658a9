-- Mail to deliver, written in the transaction that causes it.
CREATE TABLE mail_outbox (
    mail_id uuid NOT NULL,
    kind text NOT NULL,
    -- The mail, sealed: it holds an address and may hold a code.
    payload bytea NOT NULL,
    attempts smallint NOT NULL,
    -- When to try next; moved ahead while a replica is delivering it.
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    delivered_at timestamptz,
    -- Set when it was given up.
    dead_at timestamptz,
    CONSTRAINT mail_outbox_pkey PRIMARY KEY (mail_id),
    CONSTRAINT mail_outbox_one_end CHECK (delivered_at IS NULL OR dead_at IS NULL)
);

CREATE INDEX mail_outbox_due_at_idx ON mail_outbox (due_at) WHERE delivered_at IS NULL AND dead_at IS NULL;
CREATE INDEX mail_outbox_created_at_idx ON mail_outbox (created_at);
