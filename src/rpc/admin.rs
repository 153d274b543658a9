//! AdminService: other people's accounts, and the gate itself.
//!
//! Each method stands in the file of what it is about.

mod audit;
mod cleanup;
mod lockouts;
mod networks;
mod roles;
mod service_keys;
mod signing_keys;
mod users;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::accept::Accepted;
use super::page::List;
use super::watch::Messages;
use crate::app::App;
use crate::error::Error;
use crate::proto::keyward::v1::admin_service_server::AdminService;
use crate::proto::keyward::v1::{
    ClearLockoutRequest, ClearLockoutResponse, CreateNetworkRuleRequest, CreateNetworkRuleResponse, CreateRoleRequest,
    CreateRoleResponse, CreateServiceKeyRequest, CreateServiceKeyResponse, CreateUserRequest, CreateUserResponse,
    DeleteNetworkRuleRequest, DeleteNetworkRuleResponse, DeleteRoleRequest, DeleteRoleResponse, DeleteUserRequest,
    DeleteUserResponse, GetUserRequest, GetUserResponse, ListAuditEventsRequest, ListAuditEventsResponse,
    ListLockoutsRequest, ListLockoutsResponse, ListNetworkRulesRequest, ListNetworkRulesResponse, ListRolesRequest,
    ListRolesResponse, ListServiceKeysRequest, ListServiceKeysResponse, ListSigningKeysRequest,
    ListSigningKeysResponse, ListUserSessionsRequest, ListUserSessionsResponse, ListUsersRequest, ListUsersResponse,
    ReinstateUserRequest, ReinstateUserResponse, RevokeServiceKeyRequest, RevokeServiceKeyResponse,
    RevokeUserSessionsRequest, RevokeUserSessionsResponse, RotateSigningKeysRequest, RotateSigningKeysResponse,
    RunCleanupRequest, RunCleanupResponse, SetUserRolesRequest, SetUserRolesResponse, SuspendUserRequest,
    SuspendUserResponse, UpdateRoleRequest, UpdateRoleResponse, UpdateUserRequest, UpdateUserResponse,
    WatchAuditEventsRequest, WatchAuditEventsResponse,
};

/// Serves AdminService.
#[derive(Clone, Debug)]
pub(super) struct Admin(pub(super) Arc<App>);

impl Admin {
    /// The list of a method for the caller, be it a user or a service key.
    fn list<T>(&self, method: &str, call: &Accepted<T>) -> Result<List<'_>, Error> {
        let caller = call.act()?.actor.id();
        let caller = caller.ok_or_else(|| Error::internal("a list was asked for by nobody"))?;
        Ok(List::new(&self.0.master, method, caller))
    }
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn run_cleanup(&self, request: Request<RunCleanupRequest>) -> Result<Response<RunCleanupResponse>, Status> {
        cleanup::run(self, request).await
    }

    async fn list_service_keys(
        &self,
        request: Request<ListServiceKeysRequest>,
    ) -> Result<Response<ListServiceKeysResponse>, Status> {
        service_keys::list(self, request).await
    }

    async fn create_service_key(
        &self,
        request: Request<CreateServiceKeyRequest>,
    ) -> Result<Response<CreateServiceKeyResponse>, Status> {
        service_keys::create(self, request).await
    }

    async fn revoke_service_key(
        &self,
        request: Request<RevokeServiceKeyRequest>,
    ) -> Result<Response<RevokeServiceKeyResponse>, Status> {
        service_keys::revoke(self, request).await
    }

    async fn list_signing_keys(
        &self,
        request: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        signing_keys::list(self, request).await
    }

    async fn rotate_signing_keys(
        &self,
        request: Request<RotateSigningKeysRequest>,
    ) -> Result<Response<RotateSigningKeysResponse>, Status> {
        signing_keys::rotate(self, request).await
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        users::list(self, request).await
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        users::get(self, request).await
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<CreateUserResponse>, Status> {
        users::create(self, request).await
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<UpdateUserResponse>, Status> {
        users::update(self, request).await
    }

    async fn suspend_user(
        &self,
        request: Request<SuspendUserRequest>,
    ) -> Result<Response<SuspendUserResponse>, Status> {
        users::suspend(self, request).await
    }

    async fn reinstate_user(
        &self,
        request: Request<ReinstateUserRequest>,
    ) -> Result<Response<ReinstateUserResponse>, Status> {
        users::reinstate(self, request).await
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<DeleteUserResponse>, Status> {
        users::delete(self, request).await
    }

    async fn set_user_roles(
        &self,
        request: Request<SetUserRolesRequest>,
    ) -> Result<Response<SetUserRolesResponse>, Status> {
        users::set_roles(self, request).await
    }

    async fn list_user_sessions(
        &self,
        request: Request<ListUserSessionsRequest>,
    ) -> Result<Response<ListUserSessionsResponse>, Status> {
        users::list_sessions(self, request).await
    }

    async fn revoke_user_sessions(
        &self,
        request: Request<RevokeUserSessionsRequest>,
    ) -> Result<Response<RevokeUserSessionsResponse>, Status> {
        users::revoke_sessions(self, request).await
    }

    async fn list_roles(&self, request: Request<ListRolesRequest>) -> Result<Response<ListRolesResponse>, Status> {
        roles::list(self, request).await
    }

    async fn create_role(&self, request: Request<CreateRoleRequest>) -> Result<Response<CreateRoleResponse>, Status> {
        roles::create(self, request).await
    }

    async fn update_role(&self, request: Request<UpdateRoleRequest>) -> Result<Response<UpdateRoleResponse>, Status> {
        roles::update(self, request).await
    }

    async fn delete_role(&self, request: Request<DeleteRoleRequest>) -> Result<Response<DeleteRoleResponse>, Status> {
        roles::delete(self, request).await
    }

    async fn list_lockouts(
        &self,
        request: Request<ListLockoutsRequest>,
    ) -> Result<Response<ListLockoutsResponse>, Status> {
        lockouts::list(self, request).await
    }

    async fn clear_lockout(
        &self,
        request: Request<ClearLockoutRequest>,
    ) -> Result<Response<ClearLockoutResponse>, Status> {
        lockouts::clear(self, request).await
    }

    async fn list_network_rules(
        &self,
        request: Request<ListNetworkRulesRequest>,
    ) -> Result<Response<ListNetworkRulesResponse>, Status> {
        networks::list(self, request).await
    }

    async fn create_network_rule(
        &self,
        request: Request<CreateNetworkRuleRequest>,
    ) -> Result<Response<CreateNetworkRuleResponse>, Status> {
        networks::create(self, request).await
    }

    async fn delete_network_rule(
        &self,
        request: Request<DeleteNetworkRuleRequest>,
    ) -> Result<Response<DeleteNetworkRuleResponse>, Status> {
        networks::delete(self, request).await
    }

    async fn list_audit_events(
        &self,
        request: Request<ListAuditEventsRequest>,
    ) -> Result<Response<ListAuditEventsResponse>, Status> {
        audit::list(self, request).await
    }

    async fn watch_audit_events(
        &self,
        request: Request<WatchAuditEventsRequest>,
    ) -> Result<Response<Messages<WatchAuditEventsResponse>>, Status> {
        audit::watch(self, request).await
    }
}
