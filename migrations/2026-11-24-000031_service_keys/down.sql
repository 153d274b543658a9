DROP TABLE service_keys;
DELETE FROM feed_versions WHERE feed = 'service_keys';
