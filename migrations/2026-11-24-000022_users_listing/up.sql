-- For lists of users: each order has its index within a state, since one state may be rare; a list of all states merges two
-- walks. Whoever has never logged in comes as if it had done so before all others.
CREATE INDEX users_state_created_at_idx ON users (state, created_at, user_id);
CREATE INDEX users_state_last_login_at_idx
    ON users (state, (coalesce(last_login_at, '-infinity'::timestamptz)), user_id);

-- The name in lower case, for the search. The service writes it: a database of locale C lowers ASCII alone. NULL where a
-- name was written by a version that did not know of it; then the database's own lower case has to do.
ALTER TABLE users ADD COLUMN search_name text;

-- For the search by what an address or a name begins with.
CREATE INDEX users_email_prefix_idx ON users (email text_pattern_ops);
CREATE INDEX users_search_name_prefix_idx ON users (coalesce(search_name, lower(display_name)) text_pattern_ops);
