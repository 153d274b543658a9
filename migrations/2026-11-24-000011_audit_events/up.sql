-- What happened, who did it and from where. Rows are written in the transaction of what they record and never changed; they
-- leave with the retention alone.
CREATE TABLE audit_events (
    -- Made at `created_at`, so that it sorts and delimits by time.
    audit_event_id uuid NOT NULL,
    -- The order of recording, for those who follow the trail.
    sequence bigint NOT NULL,
    created_at timestamptz NOT NULL,
    kind text NOT NULL,
    actor_type text NOT NULL,
    -- No foreign keys: the trail outlives whom and what it tells of.
    actor_id uuid,
    subject_type text,
    subject_id text,
    ip_address inet,
    device_id text,
    -- Empty when there was no call.
    request_id text NOT NULL,
    details jsonb NOT NULL,
    CONSTRAINT audit_events_pkey PRIMARY KEY (audit_event_id),
    CONSTRAINT audit_events_sequence_key UNIQUE (sequence),
    CONSTRAINT audit_events_actor_known
        CHECK (actor_type IN ('ANONYMOUS', 'USER', 'SERVICE_KEY', 'OPERATOR', 'SYSTEM')),
    CONSTRAINT audit_events_actor_whole CHECK ((actor_type IN ('USER', 'SERVICE_KEY')) = (actor_id IS NOT NULL)),
    CONSTRAINT audit_events_subject_whole CHECK ((subject_type IS NULL) = (subject_id IS NULL)),
    CONSTRAINT audit_events_details_object CHECK (jsonb_typeof(details) = 'object')
);

CREATE INDEX audit_events_actor_id_idx ON audit_events (actor_id, audit_event_id);
CREATE INDEX audit_events_subject_id_idx ON audit_events (subject_id, audit_event_id);
CREATE INDEX audit_events_kind_idx ON audit_events (kind, audit_event_id);

CREATE SEQUENCE audit_events_sequence_seq OWNED BY audit_events.sequence;

-- A transaction has its own number before an event of it has one. So whoever sees an event, and then that every transaction
-- numbered until now is over, knows that no event with a lower number can come any more.
CREATE FUNCTION audit_events_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_current_xact_id();
    NEW.sequence := nextval('audit_events_sequence_seq'::regclass);
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_events_number BEFORE INSERT ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_number();

-- The retention job's transaction says that it is one: `SET LOCAL keyward.retention = 'on'`.
CREATE FUNCTION audit_events_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('keyward.retention', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'audit events are neither changed nor deleted' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_keep();
