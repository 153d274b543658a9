DROP TABLE feed_versions;
