-- A list of the holders of a role, by when they were created, has an index of its own; the time never changes.
ALTER TABLE user_roles ADD COLUMN user_created_at timestamptz;
UPDATE user_roles r SET user_created_at = u.created_at FROM users u WHERE u.user_id = r.user_id;
ALTER TABLE user_roles ALTER COLUMN user_created_at SET NOT NULL;
DROP INDEX user_roles_role_idx;
CREATE INDEX user_roles_role_user_created_at_idx ON user_roles (role, user_created_at, user_id);

-- For the version before, which does not know of the column.
CREATE FUNCTION user_roles_user_created_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT u.created_at INTO NEW.user_created_at FROM users u WHERE u.user_id = NEW.user_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER user_roles_user_created_at BEFORE INSERT ON user_roles
    FOR EACH ROW WHEN (NEW.user_created_at IS NULL) EXECUTE FUNCTION user_roles_user_created_at();

-- The names in two indexes of columns instead of one of an expression, so that what a search fits is counted in them alone.
DROP INDEX users_search_name_prefix_idx;
CREATE INDEX users_search_name_prefix_idx ON users (search_name text_pattern_ops);
CREATE INDEX users_display_name_prefix_idx ON users (lower(display_name) text_pattern_ops) WHERE search_name IS NULL;

-- With the time itself, without which the index alone does not do: an expression is not read from one.
DROP INDEX users_state_last_login_at_idx;
CREATE INDEX users_state_last_login_at_idx
    ON users (state, (coalesce(last_login_at, '-infinity'::timestamptz)), user_id) INCLUDE (last_login_at);
