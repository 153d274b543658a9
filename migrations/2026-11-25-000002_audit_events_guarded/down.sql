DROP INDEX audit_events_actor_and_subject_kind_idx;
DROP INDEX audit_events_subject_id_kind_idx;
DROP INDEX audit_events_actor_id_kind_idx;
CREATE INDEX audit_events_subject_id_idx ON audit_events (subject_id, audit_event_id);
CREATE INDEX audit_events_actor_id_idx ON audit_events (actor_id, audit_event_id);
DROP TRIGGER audit_events_keep_recent ON audit_events;
DROP FUNCTION audit_events_keep_recent();
