-- What replicas keep a copy of in memory, and which version of it is the latest: cheap to ask for, and different after every
-- change.
CREATE TABLE feed_versions (
    feed text NOT NULL,
    -- Replaced by a new one in the transaction of every change. Not a number: a database that was restored to an earlier
    -- time never counts up to a version that replicas have seen already.
    version uuid NOT NULL,
    CONSTRAINT feed_versions_pkey PRIMARY KEY (feed)
);
