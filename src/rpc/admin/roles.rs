//! Roles and what they permit.

use tonic::{Request, Response, Status};

use super::Admin;
use crate::error::Error;
use crate::flows::roles;
use crate::model::role::{Role, RoleName};
use crate::proto::keyward::v1::{
    CreateRoleRequest, CreateRoleResponse, DeleteRoleRequest, DeleteRoleResponse, ListRolesRequest, ListRolesResponse,
    UpdateRoleRequest, UpdateRoleResponse,
};
use crate::rpc::accept::accept;
use crate::rpc::{convert, page};

pub(super) async fn list(
    admin: &Admin,
    request: Request<ListRolesRequest>,
) -> Result<Response<ListRolesResponse>, Status> {
    let call = accept(request)?;
    let list = admin.list("ListRoles", &call)?;
    let size = page::size(call.message.page_size);
    let after = list.cursor(&call.message.page_token)?.map(name_of).transpose()?;
    let found = roles::list(&admin.0, after.as_ref(), size.saturating_add(1)).await?;
    let (roles, next_page_token) = list.page_by(found, size, |role| role.name.as_str().into());
    Ok(Response::new(ListRolesResponse { roles: roles.into_iter().map(Into::into).collect(), next_page_token }))
}

pub(super) async fn create(
    admin: &Admin,
    request: Request<CreateRoleRequest>,
) -> Result<Response<CreateRoleResponse>, Status> {
    let call = accept(request)?;
    let by = call.act()?;
    let role = Role {
        name: convert::name("name", &call.message.name)?,
        description: convert::remark("description", &call.message.description)?,
        permissions: convert::names("permissions", &call.message.permissions)?,
    };
    let role = roles::create(&admin.0, &by, role).await?;
    Ok(Response::new(CreateRoleResponse { role: Some(role.into()) }))
}

pub(super) async fn update(
    admin: &Admin,
    request: Request<UpdateRoleRequest>,
) -> Result<Response<UpdateRoleResponse>, Status> {
    let call = accept(request)?;
    let by = call.act()?;
    let UpdateRoleRequest { name, role, update_mask } = call.message;
    let name = convert::name("name", &name)?;
    let change = convert::role_change(role, update_mask)?;
    let role = roles::update(&admin.0, &by, &name, change).await?;
    Ok(Response::new(UpdateRoleResponse { role: Some(role.into()) }))
}

pub(super) async fn delete(
    admin: &Admin,
    request: Request<DeleteRoleRequest>,
) -> Result<Response<DeleteRoleResponse>, Status> {
    let call = accept(request)?;
    let name = convert::name("name", &call.message.name)?;
    roles::delete(&admin.0, &call.act()?, &name).await?;
    Ok(Response::new(DeleteRoleResponse {}))
}

/// The role that a cursor stands at.
fn name_of(cursor: Vec<u8>) -> Result<RoleName, Error> {
    let name = String::from_utf8(cursor).map_err(|_| Error::PageTokenInvalid)?;
    name.parse().map_err(|_| Error::PageTokenInvalid)
}
