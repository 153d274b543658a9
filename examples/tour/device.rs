//! A device: an installation of a client, which has an id, keeps tokens, and sends both with its calls.

use std::time::Instant;

use keyward::proto::keyward::v1::{
    ErrorReason, GetAccountRequest, LoginRequest, LoginResponse, RefreshTokensRequest, Session, Tokens,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::calls::Call;
use crate::say::Say;
use crate::surprise::Surprise;

/// A client installation.
pub(crate) struct Device {
    /// What it sends as `device-id`.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    /// The session of its last login; empty before.
    pub(crate) session_id: String,
    tokens: Tokens,
    channel: Channel,
    say: Say,
}

impl Device {
    /// A device that is not signed in.
    pub(crate) fn new(id: String, name: &str, channel: Channel, say: Say) -> Self {
        let (name, session_id, tokens) = (name.to_owned(), String::new(), Tokens::default());
        Self { id, name, session_id, tokens, channel, say }
    }

    /// Makes a call that must succeed.
    pub(crate) async fn call<C: Call>(&self, request: C) -> Result<C::Reply, Surprise> {
        self.send(request).await.map_err(|status| Surprise::Refused { method: C::METHOD, status })
    }

    /// Makes a call that must be refused, with this code and for this reason.
    pub(crate) async fn refused<C: Call>(
        &self,
        request: C,
        code: Code,
        reason: ErrorReason,
    ) -> Result<ErrorDetails, Surprise> {
        let method = C::METHOD;
        let Err(status) = self.send(request).await else { return Err(Surprise::Accepted { method, reason }) };
        let details = status.get_error_details();
        let as_sent = reason.as_str_name().trim_start_matches("ERROR_REASON_");
        let says_so = details.error_info().is_some_and(|info| info.reason == as_sent && info.domain == "keyward.v1");
        if says_so && status.code() == code {
            self.say.fact("refused, as it must be", true);
            Ok(details)
        } else {
            Err(Surprise::RefusedOtherwise { method, code, reason, status })
        }
    }

    /// Signs in, and keeps the tokens.
    pub(crate) async fn log_in(&mut self, email: &str, password: &str) -> Result<LoginResponse, Surprise> {
        let logged_in = self.call(self.login(email, password)).await?;
        self.session_id = session_id(logged_in.session.as_ref());
        self.tokens = logged_in.tokens.clone().unwrap_or_default();
        Ok(logged_in)
    }

    /// What this device sends to log in.
    pub(crate) fn login(&self, email: &str, password: &str) -> LoginRequest {
        LoginRequest { email: email.to_owned(), password: password.to_owned(), device_name: self.name.clone() }
    }

    /// What this device sends to renew its tokens.
    pub(crate) fn renewal(&self) -> RefreshTokensRequest {
        RefreshTokensRequest { refresh_token: self.tokens.refresh_token.clone() }
    }

    /// Goes on with these tokens, as after a renewal.
    pub(crate) fn keep(&mut self, tokens: Tokens) {
        self.tokens = tokens;
    }

    /// Calls with an access token whose session has ended: it is refused although it has not expired.
    pub(crate) async fn is_out(&self) -> Result<(), Surprise> {
        self.refused(GetAccountRequest {}, Code::Unauthenticated, ErrorReason::TokenRevoked).await.map(drop)
    }

    async fn send<C: Call>(&self, request: C) -> Result<C::Reply, Status> {
        let request = self.with_metadata(request)?;
        self.say.sent(&self.name, &request);
        let begun = Instant::now();
        let reply = C::send(request, self.channel.clone()).await;
        match &reply {
            Ok(reply) => self.say.answered::<C>(reply.get_ref(), begun.elapsed()),
            Err(status) => self.say.refused(status, begun.elapsed()),
        }
        reply.map(tonic::Response::into_inner)
    }

    fn with_metadata<C: Call>(&self, message: C) -> Result<Request<C>, Status> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("device-id", ascii(&self.id)?);
        // AuthService is public: a token goes no further than it must.
        if C::SERVICE != "AuthService" {
            let bearer = format!("Bearer {}", self.tokens.access_token);
            request.metadata_mut().insert("authorization", ascii(&bearer)?);
        }
        Ok(request)
    }
}

/// The id of a session in a reply; empty when there is none, which is no session's id.
pub(crate) fn session_id(session: Option<&Session>) -> String {
    session.map(|session| session.session_id.clone()).unwrap_or_default()
}

fn ascii(value: &str) -> Result<MetadataValue<Ascii>, Status> {
    value.parse().map_err(|_| Status::invalid_argument("this cannot be sent as metadata"))
}
