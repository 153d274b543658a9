//! The calls of those who run the deployment, and who they are.

use keyward::flows::admins::{self, AdminCreated};
use keyward::model::display_name::DisplayName;
use keyward::model::email::Email;
use keyward::model::password::Password;
use keyward::proto::keyward::v1::network_rule::Action;
use keyward::proto::keyward::v1::{
    CreateNetworkRuleRequest, CreateRoleRequest, CreateUserRequest, DeleteNetworkRuleRequest, DeleteRoleRequest,
    DeleteUserRequest, GetUserRequest, ListNetworkRulesRequest, ListNetworkRulesResponse, ListRolesRequest,
    ListRolesResponse, ListUserSessionsRequest, ListUserSessionsResponse, ListUsersRequest, ListUsersResponse,
    NetworkRule, ReinstateUserRequest, RevokeUserSessionsRequest, Role, SetUserRolesRequest, SuspendUserRequest,
    UpdateRoleRequest, UpdateUserRequest, User,
};

use super::refusal::{Refusal, answer};
use super::{Device, PASSWORD, SignedIn, TestApp};

type Answer<T> = Result<T, Refusal>;

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl TestApp {
    /// An administrator, made as an operator makes the first one, on a device named `console`.
    pub(crate) async fn administrator(&self, email: &str) -> SignedIn {
        let (email, name) = (Email::parse(email).unwrap(), DisplayName::parse("Root").unwrap());
        let password = Password::parse(PASSWORD).unwrap();
        let created = admins::create(&self.first().app, email.clone(), name, password).await.unwrap();
        assert!(matches!(created, AdminCreated::Created(_)), "{created:?}");
        let device = self.device("console");
        SignedIn::new(device.clone(), device.login(email.as_str()).await.unwrap())
    }
}

impl Device {
    pub(crate) async fn list_users(&self, request: ListUsersRequest) -> Answer<ListUsersResponse> {
        answer(self.admin().list_users(request).await)
    }

    pub(crate) async fn get_user(&self, user_id: &str) -> Answer<User> {
        let user_id = user_id.to_owned();
        Ok(answer(self.admin().get_user(GetUserRequest { user_id }).await)?.user.unwrap())
    }

    /// With an empty password, by an invitation.
    pub(crate) async fn create_user(&self, email: &str, password: &str) -> Answer<User> {
        let (email, password) = (email.to_owned(), password.to_owned());
        let request = CreateUserRequest { email, display_name: "Somebody".to_owned(), locale: String::new(), password };
        Ok(answer(self.admin().create_user(request).await)?.user.unwrap())
    }

    pub(crate) async fn update_user(&self, user_id: &str, user: User, paths: &[&str]) -> Answer<User> {
        let update_mask = Some(prost_types::FieldMask { paths: owned(paths) });
        let request = UpdateUserRequest { user_id: user_id.to_owned(), user: Some(user), update_mask };
        Ok(answer(self.admin().update_user(request).await)?.user.unwrap())
    }

    pub(crate) async fn suspend_user(&self, user_id: &str) -> Answer<User> {
        let user_id = user_id.to_owned();
        Ok(answer(self.admin().suspend_user(SuspendUserRequest { user_id }).await)?.user.unwrap())
    }

    pub(crate) async fn reinstate_user(&self, user_id: &str) -> Answer<User> {
        let user_id = user_id.to_owned();
        Ok(answer(self.admin().reinstate_user(ReinstateUserRequest { user_id }).await)?.user.unwrap())
    }

    pub(crate) async fn delete_user(&self, user_id: &str) -> Answer<()> {
        let user_id = user_id.to_owned();
        answer(self.admin().delete_user(DeleteUserRequest { user_id }).await).map(drop)
    }

    pub(crate) async fn set_user_roles(&self, user_id: &str, roles: &[&str]) -> Answer<User> {
        let request = SetUserRolesRequest { user_id: user_id.to_owned(), roles: owned(roles) };
        Ok(answer(self.admin().set_user_roles(request).await)?.user.unwrap())
    }

    pub(crate) async fn list_user_sessions(
        &self,
        user_id: &str,
        page_size: i32,
        page_token: &str,
    ) -> Answer<ListUserSessionsResponse> {
        let (user_id, page_token) = (user_id.to_owned(), page_token.to_owned());
        let request = ListUserSessionsRequest { user_id, page_size, page_token };
        answer(self.admin().list_user_sessions(request).await)
    }

    /// How many were revoked.
    pub(crate) async fn revoke_user_sessions(&self, user_id: &str) -> Answer<i32> {
        let user_id = user_id.to_owned();
        let request = RevokeUserSessionsRequest { user_id };
        Ok(answer(self.admin().revoke_user_sessions(request).await)?.revoked_count)
    }

    pub(crate) async fn list_roles(&self, page_size: i32, page_token: &str) -> Answer<ListRolesResponse> {
        let page_token = page_token.to_owned();
        answer(self.admin().list_roles(ListRolesRequest { page_size, page_token }).await)
    }

    pub(crate) async fn create_role(&self, name: &str, permissions: &[&str]) -> Answer<Role> {
        let (name, permissions) = (name.to_owned(), owned(permissions));
        let request = CreateRoleRequest { name, description: "For tests.".to_owned(), permissions };
        Ok(answer(self.admin().create_role(request).await)?.role.unwrap())
    }

    pub(crate) async fn update_role(&self, name: &str, role: Role, paths: &[&str]) -> Answer<Role> {
        let update_mask = Some(prost_types::FieldMask { paths: owned(paths) });
        let request = UpdateRoleRequest { name: name.to_owned(), role: Some(role), update_mask };
        Ok(answer(self.admin().update_role(request).await)?.role.unwrap())
    }

    /// Gives a role exactly these permissions.
    pub(crate) async fn set_permissions(&self, name: &str, permissions: &[&str]) -> Answer<Role> {
        let role = Role { permissions: owned(permissions), ..Role::default() };
        self.update_role(name, role, &["permissions"]).await
    }

    pub(crate) async fn delete_role(&self, name: &str) -> Answer<()> {
        let name = name.to_owned();
        answer(self.admin().delete_role(DeleteRoleRequest { name }).await).map(drop)
    }

    pub(crate) async fn list_network_rules(
        &self,
        page_size: i32,
        page_token: &str,
    ) -> Answer<ListNetworkRulesResponse> {
        let page_token = page_token.to_owned();
        answer(self.admin().list_network_rules(ListNetworkRulesRequest { page_size, page_token }).await)
    }

    pub(crate) async fn create_network_rule(&self, action: Action, cidr: &str) -> Answer<NetworkRule> {
        let (cidr, reason) = (cidr.to_owned(), "ticket 7".to_owned());
        let request = CreateNetworkRuleRequest { cidr, action: action.into(), reason, expire_time: None };
        Ok(answer(self.admin().create_network_rule(request).await)?.network_rule.unwrap())
    }

    pub(crate) async fn delete_network_rule(&self, network_rule_id: &str) -> Answer<()> {
        let network_rule_id = network_rule_id.to_owned();
        answer(self.admin().delete_network_rule(DeleteNetworkRuleRequest { network_rule_id }).await).map(drop)
    }
}
