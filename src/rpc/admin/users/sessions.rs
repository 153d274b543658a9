//! Where other people are signed in.

use tonic::{Request, Response, Status};

use crate::flows::users;
use crate::model::id::UserId;
use crate::proto::keyward::v1::{
    ListUserSessionsRequest, ListUserSessionsResponse, RevokeUserSessionsRequest, RevokeUserSessionsResponse,
};
use crate::rpc::accept::accept_as;
use crate::rpc::admin::Admin;
use crate::rpc::{convert, page};

pub(in crate::rpc::admin) async fn list_sessions(
    admin: &Admin,
    request: Request<ListUserSessionsRequest>,
) -> Result<Response<ListUserSessionsResponse>, Status> {
    let (call, (user_id, list, before)) = accept_as(request, |call| {
        let user_id: UserId = convert::id("user_id", &call.message.user_id)?;
        let list = admin.list("ListUserSessions", call)?.by(user_id.uuid().as_bytes());
        let before = list.after(&call.message.page_token)?;
        Ok((user_id, list, before))
    })?;
    let size = page::size(call.message.page_size);
    let found = users::list_sessions(&admin.0, user_id, before, size.saturating_add(1)).await?;
    let (sessions, next_page_token) = list.page(found, size, |session| session.session_id.uuid());
    // Which one is the caller's own is told where users look at their own.
    let sessions = sessions.into_iter().map(|session| convert::session(session, false)).collect();
    Ok(Response::new(ListUserSessionsResponse { sessions, next_page_token }))
}

pub(in crate::rpc::admin) async fn revoke_sessions(
    admin: &Admin,
    request: Request<RevokeUserSessionsRequest>,
) -> Result<Response<RevokeUserSessionsResponse>, Status> {
    let (call, user_id) = accept_as(request, |call| convert::id("user_id", &call.message.user_id))?;
    let count = users::revoke_sessions(&admin.0, &call.act()?, user_id).await?;
    Ok(Response::new(RevokeUserSessionsResponse { revoked_count: i32::try_from(count).unwrap_or(i32::MAX) }))
}
