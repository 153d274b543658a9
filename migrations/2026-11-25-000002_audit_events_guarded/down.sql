DROP TRIGGER audit_events_keep_recent ON audit_events;
DROP FUNCTION audit_events_keep_recent();
