-- The role admin holds every permission without a row here.
CREATE TABLE role_permissions (
    role text NOT NULL,
    permission text NOT NULL,
    CONSTRAINT role_permissions_pkey PRIMARY KEY (role, permission),
    CONSTRAINT role_permissions_role_fkey FOREIGN KEY (role) REFERENCES roles (role) ON DELETE CASCADE,
    CONSTRAINT role_permissions_permission_form CHECK (permission ~ '^[a-z][a-z0-9_.-]{0,63}$')
);
