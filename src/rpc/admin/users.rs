//! Other people's accounts.

mod listing;
mod sessions;

pub(super) use listing::list;
pub(super) use sessions::{list_sessions, revoke_sessions};

use tonic::{Request, Response, Status};

use super::Admin;
use crate::error::Error;
use crate::flows::users::{self, NewAccount};
use crate::model::password::Password;
use crate::model::role::RolesChange;
use crate::proto::keyward::v1::{
    CreateUserRequest, CreateUserResponse, DeleteUserRequest, DeleteUserResponse, GetUserRequest, GetUserResponse,
    ReinstateUserRequest, ReinstateUserResponse, SetUserRolesRequest, SetUserRolesResponse, SuspendUserRequest,
    SuspendUserResponse, UpdateUserRequest, UpdateUserResponse,
};
use crate::rpc::accept::{Accepted, accept_as, accept_new};
use crate::rpc::convert;
use crate::rpc::fields::all;

pub(super) async fn get(admin: &Admin, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
    let (_, user_id) = accept_as(request, |call| convert::id("user_id", &call.message.user_id))?;
    let user = users::get(&admin.0, user_id).await?;
    Ok(Response::new(GetUserResponse { user: Some(user.into()) }))
}

pub(super) async fn create(
    admin: &Admin,
    request: Request<CreateUserRequest>,
) -> Result<Response<CreateUserResponse>, Status> {
    let read = |call: &Accepted<CreateUserRequest>| new_account(&call.message);
    let (call, account) = accept_new(&admin.0, request, |it| &it.password, read).await?;
    let user = users::create(&admin.0, &call.act()?, account).await?;
    Ok(Response::new(CreateUserResponse { user: Some(user.into()) }))
}

pub(super) async fn update(
    admin: &Admin,
    request: Request<UpdateUserRequest>,
) -> Result<Response<UpdateUserResponse>, Status> {
    let (call, (user_id, change)) = accept_as(request, |call| {
        let UpdateUserRequest { user_id, user, update_mask } = &call.message;
        (convert::id("user_id", user_id), convert::profile_change(user.as_ref(), update_mask.as_ref()))
    })?;
    let user = users::update(&admin.0, &call.act()?, user_id, change).await?;
    Ok(Response::new(UpdateUserResponse { user: Some(user.into()) }))
}

pub(super) async fn suspend(
    admin: &Admin,
    request: Request<SuspendUserRequest>,
) -> Result<Response<SuspendUserResponse>, Status> {
    let (call, user_id) = accept_as(request, |call| convert::id("user_id", &call.message.user_id))?;
    let user = users::suspend(&admin.0, &call.act()?, user_id).await?;
    Ok(Response::new(SuspendUserResponse { user: Some(user.into()) }))
}

pub(super) async fn reinstate(
    admin: &Admin,
    request: Request<ReinstateUserRequest>,
) -> Result<Response<ReinstateUserResponse>, Status> {
    let (call, user_id) = accept_as(request, |call| convert::id("user_id", &call.message.user_id))?;
    let user = users::reinstate(&admin.0, &call.act()?, user_id).await?;
    Ok(Response::new(ReinstateUserResponse { user: Some(user.into()) }))
}

pub(super) async fn delete(
    admin: &Admin,
    request: Request<DeleteUserRequest>,
) -> Result<Response<DeleteUserResponse>, Status> {
    let (call, user_id) = accept_as(request, |call| convert::id("user_id", &call.message.user_id))?;
    users::delete(&admin.0, &call.act()?, user_id).await?;
    Ok(Response::new(DeleteUserResponse {}))
}

pub(super) async fn set_roles(
    admin: &Admin,
    request: Request<SetUserRolesRequest>,
) -> Result<Response<SetUserRolesResponse>, Status> {
    let (call, (user_id, roles)) = accept_as(request, |call| {
        (convert::id("user_id", &call.message.user_id), convert::names("roles", &call.message.roles))
    })?;
    let user = users::set_roles(&admin.0, &call.act()?, user_id, RolesChange::Exactly(roles)).await?;
    Ok(Response::new(SetUserRolesResponse { user: Some(user.into()) }))
}

fn new_account(request: &CreateUserRequest) -> Result<NewAccount, Error> {
    let (email, display_name, locale, password) = all((
        convert::email(&request.email),
        convert::display_name("display_name", &request.display_name),
        convert::locale("locale", &request.locale),
        password(&request.password),
    ))?;
    Ok(NewAccount { email, display_name, locale, password })
}

/// The password that a new user is to have; an empty one asks for an invitation.
fn password(text: &str) -> Result<Option<Password>, Error> {
    (!text.is_empty()).then(|| convert::new_password("password", text)).transpose()
}
