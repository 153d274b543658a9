-- Work that one replica does at a time.
CREATE TABLE leases (
    work text NOT NULL,
    -- Made anew by whoever takes it; NULL while nobody has it.
    holder uuid,
    -- When another may take it, unless the holder renews it.
    held_until timestamptz,
    -- When the work was last done to its end.
    done_at timestamptz,
    CONSTRAINT leases_pkey PRIMARY KEY (work),
    CONSTRAINT leases_held_whole CHECK ((holder IS NULL) = (held_until IS NULL))
);
