DROP TABLE network_rules;
DELETE FROM feed_versions WHERE feed = 'network_rules';
