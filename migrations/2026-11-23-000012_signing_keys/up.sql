CREATE TABLE signing_keys (
    -- The `kid` of the tokens that it signs.
    key_id text NOT NULL,
    algorithm text NOT NULL,
    state text NOT NULL,
    -- PKCS #8 (or the raw secret of HS256), sealed.
    private_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it starts, or started, to sign.
    active_at timestamptz NOT NULL,
    -- When the last token that it signed has expired, once another one signs.
    retired_at timestamptz,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (key_id),
    CONSTRAINT signing_keys_algorithm_known CHECK (algorithm IN ('ES256', 'EdDSA', 'RS256', 'HS256')),
    CONSTRAINT signing_keys_state_known CHECK (state IN ('NEXT', 'ACTIVE', 'RETIRING'))
);

CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state = 'ACTIVE';
CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys (state) WHERE state = 'NEXT';
