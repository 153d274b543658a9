//! SessionService: tokens and the devices that hold them.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::accept::accept;
use super::{convert, page};
use crate::app::App;
use crate::error::Error;
use crate::flows::sessions::Target;
use crate::flows::{logout, sessions};
use crate::model::id::SessionId;
use crate::proto::keyward::v1::revoke_session_request::Target as PbTarget;
use crate::proto::keyward::v1::session_service_server::SessionService;
use crate::proto::keyward::v1::{
    GetOriginRequest, GetOriginResponse, ListSessionsRequest, ListSessionsResponse, LogoutRequest, LogoutResponse,
    RevokeAllSessionsRequest, RevokeAllSessionsResponse, RevokeSessionRequest, RevokeSessionResponse,
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
        let call = accept(request)?;
        let caller = call.caller()?;
        let user_id = caller.user_id.uuid();
        let list: [&[u8]; 2] = [b"ListSessions", user_id.as_bytes()];
        let size = page::size(call.message.page_size);
        let before = page::cursor(&self.0.master, &list, &call.message.page_token)?;
        let before = before.map(|cursor| session_id(&cursor)).transpose()?;
        // One more than asked for tells whether there is a next page.
        let mut found = sessions::list(&self.0, &caller, before, size.saturating_add(1)).await?;
        let more = found.len() > usize::try_from(size).unwrap_or(usize::MAX);
        found.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let last = found.last().filter(|_| more);
        let next_page_token = last.map(|last| page::token(&self.0.master, &list, last.session_id.uuid().as_bytes()));
        let is_current = |session: &crate::model::session::Session| session.session_id == caller.session_id;
        let sessions = found.into_iter().map(|session| (is_current(&session), session));
        Ok(Response::new(ListSessionsResponse {
            sessions: sessions.map(|(current, session)| convert::session(session, current)).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        let call = accept(request)?;
        let caller = call.caller()?;
        let target = match call.message.target {
            Some(PbTarget::SessionId(text)) => Target::Session(convert::id("session_id", &text)?),
            Some(PbTarget::DeviceId(text)) => Target::Device(convert::device_id(&text)?),
            None => return Err(Error::invalid("target", "must be a session_id or a device_id").into()),
        };
        sessions::revoke(&self.0, &caller, target).await?;
        Ok(Response::new(RevokeSessionResponse {}))
    }

    async fn revoke_all_sessions(
        &self,
        request: Request<RevokeAllSessionsRequest>,
    ) -> Result<Response<RevokeAllSessionsResponse>, Status> {
        let call = accept(request)?;
        let count = sessions::revoke_all(&self.0, &call.caller()?, call.message.keep_current).await?;
        Ok(Response::new(RevokeAllSessionsResponse { revoked_count: i32::try_from(count).unwrap_or(i32::MAX) }))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        let call = accept(request)?;
        logout::logout(&self.0, &call.caller()?).await?;
        Ok(Response::new(LogoutResponse {}))
    }

    async fn get_origin(&self, request: Request<GetOriginRequest>) -> Result<Response<GetOriginResponse>, Status> {
        let call = accept(request)?;
        Ok(Response::new(GetOriginResponse {
            ip_address: call.origin()?.ip_address.to_string(),
            device_id: call.device_id().map(|device_id| device_id.as_str().to_owned()).unwrap_or_default(),
        }))
    }
}

fn session_id(cursor: &[u8]) -> Result<SessionId, Error> {
    Uuid::from_slice(cursor).map(Into::into).map_err(|_| Error::PageTokenInvalid)
}
