ALTER TABLE users DROP COLUMN tokens_issued_from;
DROP TABLE stale_users;
