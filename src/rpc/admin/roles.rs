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
use crate::rpc::accept::accept_as;
use crate::rpc::fields::all;
use crate::rpc::{convert, page};

pub(super) async fn list(
    admin: &Admin,
    request: Request<ListRolesRequest>,
) -> Result<Response<ListRolesResponse>, Status> {
    let (call, (list, after)) = accept_as(request, |call| {
        let list = admin.list("ListRoles", call)?;
        let after = list.cursor(&call.message.page_token)?.map(name_of).transpose()?;
        Ok((list, after))
    })?;
    let size = page::size(call.message.page_size);
    let found = roles::list(&admin.0, after.as_ref(), size.saturating_add(1)).await?;
    let (roles, next_page_token) = list.page_by(found, size, |role| role.name.as_str().into());
    Ok(Response::new(ListRolesResponse { roles: roles.into_iter().map(Into::into).collect(), next_page_token }))
}

pub(super) async fn create(
    admin: &Admin,
    request: Request<CreateRoleRequest>,
) -> Result<Response<CreateRoleResponse>, Status> {
    let (call, role) = accept_as(request, |call| new_role(&call.message))?;
    let role = roles::create(&admin.0, &call.act()?, role).await?;
    Ok(Response::new(CreateRoleResponse { role: Some(role.into()) }))
}

pub(super) async fn update(
    admin: &Admin,
    request: Request<UpdateRoleRequest>,
) -> Result<Response<UpdateRoleResponse>, Status> {
    let (call, (name, change)) = accept_as(request, |call| {
        let UpdateRoleRequest { name, role, update_mask } = &call.message;
        (convert::name("name", name), convert::role_change(role.as_ref(), update_mask.as_ref()))
    })?;
    let role = roles::update(&admin.0, &call.act()?, &name, change).await?;
    Ok(Response::new(UpdateRoleResponse { role: Some(role.into()) }))
}

pub(super) async fn delete(
    admin: &Admin,
    request: Request<DeleteRoleRequest>,
) -> Result<Response<DeleteRoleResponse>, Status> {
    let (call, name) = accept_as(request, |call| convert::name("name", &call.message.name))?;
    roles::delete(&admin.0, &call.act()?, &name).await?;
    Ok(Response::new(DeleteRoleResponse {}))
}

fn new_role(request: &CreateRoleRequest) -> Result<Role, Error> {
    let (name, description, permissions) = all((
        convert::name("name", &request.name),
        convert::remark("description", &request.description),
        convert::names("permissions", &request.permissions),
    ))?;
    Ok(Role { name, description, permissions })
}

/// The role that a cursor stands at.
fn name_of(cursor: Vec<u8>) -> Result<RoleName, Error> {
    let name = String::from_utf8(cursor).map_err(|_| Error::PageTokenInvalid)?;
    name.parse().map_err(|_| Error::PageTokenInvalid)
}
