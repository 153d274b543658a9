ALTER TABLE password_resets DROP COLUMN address_hash;
