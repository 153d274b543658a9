CREATE TABLE roles (
    role text NOT NULL,
    description text NOT NULL,
    CONSTRAINT roles_pkey PRIMARY KEY (role),
    CONSTRAINT roles_role_form CHECK (role ~ '^[a-z][a-z0-9_.-]{0,63}$')
);

INSERT INTO roles (role, description) VALUES
    ('normal_user', 'Every user whose address is proved.'),
    ('education_user', 'A user of a school or university.'),
    ('business_user', 'A user of a business.'),
    ('admin', 'Holds every permission.');
