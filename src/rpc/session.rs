//! SessionService: tokens and the devices that hold them.

mod checking;
mod revocations;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::accept::{accept, accept_as};
use super::page::List;
use super::watch::Messages;
use super::{convert, page};
use crate::app::App;
use crate::error::Error;
use crate::flows::sessions::Target;
use crate::flows::{introspection, logout, sessions};
use crate::model::session::Session;
use crate::proto::keyward::v1::revoke_session_request::Target as PbTarget;
use crate::proto::keyward::v1::session_service_server::SessionService;
use crate::proto::keyward::v1::{
    GetJsonWebKeySetRequest, GetJsonWebKeySetResponse, GetOriginRequest, GetOriginResponse, IntrospectTokenRequest,
    IntrospectTokenResponse, ListSessionsRequest, ListSessionsResponse, LogoutRequest, LogoutResponse,
    RevokeAllSessionsRequest, RevokeAllSessionsResponse, RevokeSessionRequest, RevokeSessionResponse,
    WatchRevocationsRequest, WatchRevocationsResponse,
};

/// Serves SessionService.
#[derive(Clone, Debug)]
pub(super) struct Sessions(pub(super) Arc<App>);

#[tonic::async_trait]
impl SessionService for Sessions {
    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let (call, (list, after)) = accept_as(request, |call| {
            let list = List::new(&self.0.master, "ListSessions", call.caller()?.user_id.uuid());
            let after = list.after(&call.message.page_token)?;
            Ok((list, after))
        })?;
        let (caller, size) = (call.caller()?, page::size(call.message.page_size));
        let found = sessions::list(&self.0, &caller, after, size.saturating_add(1)).await?;
        let (sessions, next_page_token) = list.page(found, size, |session| session.session_id.uuid());
        let show = |session: Session| {
            let current = session.session_id == caller.session_id;
            convert::session(session, current)
        };
        Ok(Response::new(ListSessionsResponse { sessions: sessions.into_iter().map(show).collect(), next_page_token }))
    }

    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        let (call, target) = accept_as(request, |call| target(call.message.target.as_ref()))?;
        sessions::revoke(&self.0, &call.act()?, &call.caller()?, target).await?;
        Ok(Response::new(RevokeSessionResponse {}))
    }

    async fn revoke_all_sessions(
        &self,
        request: Request<RevokeAllSessionsRequest>,
    ) -> Result<Response<RevokeAllSessionsResponse>, Status> {
        let call = accept(request)?;
        let count = sessions::revoke_all(&self.0, &call.act()?, &call.caller()?, call.message.keep_current).await?;
        Ok(Response::new(RevokeAllSessionsResponse { revoked_count: i32::try_from(count).unwrap_or(i32::MAX) }))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        let call = accept(request)?;
        logout::logout(&self.0, &call.act()?, &call.caller()?).await?;
        Ok(Response::new(LogoutResponse {}))
    }

    async fn introspect_token(
        &self,
        request: Request<IntrospectTokenRequest>,
    ) -> Result<Response<IntrospectTokenResponse>, Status> {
        let call = accept(request)?;
        let introspection = introspection::introspect(&self.0, &call.message.access_token).await?;
        Ok(Response::new(introspection.into()))
    }

    async fn get_json_web_key_set(
        &self,
        request: Request<GetJsonWebKeySetRequest>,
    ) -> Result<Response<GetJsonWebKeySetResponse>, Status> {
        accept(request)?;
        let keys = self.0.keys.current();
        let keys =
            keys.published(self.0.clock.now()).into_iter().map(checking::json_web_key).collect::<Result<_, _>>()?;
        Ok(Response::new(GetJsonWebKeySetResponse { keys }))
    }

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Messages<WatchRevocationsResponse>>, Status> {
        revocations::watch(&self.0, request).await
    }

    async fn get_origin(&self, request: Request<GetOriginRequest>) -> Result<Response<GetOriginResponse>, Status> {
        let call = accept(request)?;
        Ok(Response::new(GetOriginResponse {
            ip_address: call.origin()?.ip_address.to_string(),
            device_id: call.device_id().map(|device_id| device_id.as_str().to_owned()).unwrap_or_default(),
        }))
    }
}

fn target(target: Option<&PbTarget>) -> Result<Target, Error> {
    match target {
        Some(PbTarget::SessionId(text)) => Ok(Target::Session(convert::id("session_id", text)?)),
        Some(PbTarget::DeviceId(text)) => Ok(Target::Device(convert::device_id(text)?)),
        None => Err(Error::invalid("target", "must be a session_id or a device_id")),
    }
}
