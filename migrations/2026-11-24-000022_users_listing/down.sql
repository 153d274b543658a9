DROP INDEX users_search_name_prefix_idx;
DROP INDEX users_email_prefix_idx;
ALTER TABLE users DROP COLUMN search_name;
DROP INDEX users_state_last_login_at_idx;
DROP INDEX users_state_created_at_idx;
