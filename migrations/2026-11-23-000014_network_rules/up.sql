-- The networks that operators block or allow. Every replica has them in memory; whoever writes here writes the version of
-- the feed `network_rules` in the same transaction.
CREATE TABLE network_rules (
    network_rule_id uuid NOT NULL,
    cidr cidr NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it ends by itself; NULL when it stays until it is removed.
    expires_at timestamptz,
    CONSTRAINT network_rules_pkey PRIMARY KEY (network_rule_id),
    CONSTRAINT network_rules_cidr_key UNIQUE (cidr),
    -- IPv4-mapped addresses are folded to IPv4 before they are looked up, so such a rule would never match.
    CONSTRAINT network_rules_cidr_folded CHECK (NOT cidr <<= inet '::ffff:0.0.0.0/96'),
    CONSTRAINT network_rules_action_known CHECK (action IN ('BLOCK', 'ALLOW')),
    CONSTRAINT network_rules_expiry_ordered CHECK (expires_at > created_at)
);

CREATE INDEX network_rules_expires_at_idx ON network_rules (expires_at);
