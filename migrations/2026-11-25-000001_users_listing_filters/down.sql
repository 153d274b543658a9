DROP INDEX users_state_last_login_at_idx;
CREATE INDEX users_state_last_login_at_idx
    ON users (state, (coalesce(last_login_at, '-infinity'::timestamptz)), user_id);
DROP INDEX users_display_name_prefix_idx;
DROP INDEX users_search_name_prefix_idx;
CREATE INDEX users_search_name_prefix_idx ON users (coalesce(search_name, lower(display_name)) text_pattern_ops);
DROP TRIGGER user_roles_user_created_at ON user_roles;
DROP FUNCTION user_roles_user_created_at;
DROP INDEX user_roles_role_user_created_at_idx;
CREATE INDEX user_roles_role_idx ON user_roles (role);
ALTER TABLE user_roles DROP COLUMN user_created_at;
