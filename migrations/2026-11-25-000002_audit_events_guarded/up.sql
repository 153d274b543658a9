-- Not even the retention takes what is recent: at most a day older than the event that was recorded last, which itself stays
-- for good. By the trail's own times, which are the service's. Somebody who records an event of the future, so as to delete
-- those before it, leaves that one behind.
--
-- The table goes by its full name, lest a temporary one of the same name be asked instead.
CREATE FUNCTION audit_events_keep_recent() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    newest timestamptz;
BEGIN
    EXECUTE format('
        SELECT created_at FROM (
            (SELECT sequence, created_at FROM %I.%I ORDER BY sequence DESC LIMIT 1)
            UNION ALL
            (SELECT sequence, created_at FROM gone ORDER BY sequence DESC LIMIT 1)
        ) latest ORDER BY sequence DESC LIMIT 1', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO newest;
    IF EXISTS (SELECT FROM gone WHERE created_at > newest - interval '1 day') THEN
        RAISE EXCEPTION 'the latest audit events are not deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER audit_events_keep_recent AFTER DELETE ON audit_events
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION audit_events_keep_recent();

-- An index for each set of filters, the kind within the others: a filter that lets nothing pass is found to as quickly as one
-- that lets everything. Which kinds an actor or a subject has, where none is asked for, the index tells in a few steps.
DROP INDEX audit_events_actor_id_idx;
DROP INDEX audit_events_subject_id_idx;
CREATE INDEX audit_events_actor_id_kind_idx ON audit_events (actor_id, kind, audit_event_id);
CREATE INDEX audit_events_subject_id_kind_idx ON audit_events (subject_id, kind, audit_event_id);
-- Both as one: of two columns the planner may take the first for selective enough by itself, which for a busy actor it is not.
CREATE INDEX audit_events_actor_and_subject_kind_idx
    ON audit_events ((actor_id::text || ' ' || subject_id), kind, audit_event_id);
