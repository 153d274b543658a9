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
use crate::rpc::accept::accept;
use crate::rpc::convert;

pub(super) async fn get(admin: &Admin, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
    let call = accept(request)?;
    let user = users::get(&admin.0, convert::id("user_id", &call.message.user_id)?).await?;
    Ok(Response::new(GetUserResponse { user: Some(user.into()) }))
}

pub(super) async fn create(
    admin: &Admin,
    request: Request<CreateUserRequest>,
) -> Result<Response<CreateUserResponse>, Status> {
    let call = accept(request)?;
    let account = NewAccount {
        email: convert::email(&call.message.email)?,
        display_name: convert::display_name("display_name", &call.message.display_name)?,
        locale: convert::locale("locale", &call.message.locale)?,
        password: password(&call.message.password)?,
    };
    let user = users::create(&admin.0, &call.act()?, account).await?;
    Ok(Response::new(CreateUserResponse { user: Some(user.into()) }))
}

pub(super) async fn update(
    admin: &Admin,
    request: Request<UpdateUserRequest>,
) -> Result<Response<UpdateUserResponse>, Status> {
    let call = accept(request)?;
    let by = call.act()?;
    let UpdateUserRequest { user_id, user, update_mask } = call.message;
    let change = convert::profile_change(user, update_mask)?;
    let user = users::update(&admin.0, &by, convert::id("user_id", &user_id)?, change).await?;
    Ok(Response::new(UpdateUserResponse { user: Some(user.into()) }))
}

pub(super) async fn suspend(
    admin: &Admin,
    request: Request<SuspendUserRequest>,
) -> Result<Response<SuspendUserResponse>, Status> {
    let call = accept(request)?;
    let user_id = convert::id("user_id", &call.message.user_id)?;
    let user = users::suspend(&admin.0, &call.act()?, user_id).await?;
    Ok(Response::new(SuspendUserResponse { user: Some(user.into()) }))
}

pub(super) async fn reinstate(
    admin: &Admin,
    request: Request<ReinstateUserRequest>,
) -> Result<Response<ReinstateUserResponse>, Status> {
    let call = accept(request)?;
    let user_id = convert::id("user_id", &call.message.user_id)?;
    let user = users::reinstate(&admin.0, &call.act()?, user_id).await?;
    Ok(Response::new(ReinstateUserResponse { user: Some(user.into()) }))
}

pub(super) async fn delete(
    admin: &Admin,
    request: Request<DeleteUserRequest>,
) -> Result<Response<DeleteUserResponse>, Status> {
    let call = accept(request)?;
    let user_id = convert::id("user_id", &call.message.user_id)?;
    users::delete(&admin.0, &call.act()?, user_id).await?;
    Ok(Response::new(DeleteUserResponse {}))
}

pub(super) async fn set_roles(
    admin: &Admin,
    request: Request<SetUserRolesRequest>,
) -> Result<Response<SetUserRolesResponse>, Status> {
    let call = accept(request)?;
    let user_id = convert::id("user_id", &call.message.user_id)?;
    let roles = RolesChange::Exactly(convert::names("roles", &call.message.roles)?);
    let user = users::set_roles(&admin.0, &call.act()?, user_id, roles).await?;
    Ok(Response::new(SetUserRolesResponse { user: Some(user.into()) }))
}

/// The password that a new user is to have; an empty one asks for an invitation.
fn password(text: &str) -> Result<Option<Password>, Error> {
    (!text.is_empty()).then(|| convert::new_password("password", text)).transpose()
}
