//! AuthService: proving who you are.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use super::accept::{Accepted, accept, accept_as, accept_new};
use super::attempts;
use super::convert::{self, timestamp};
use crate::app::App;
use crate::flows::login::{self, LoggedIn, Login};
use crate::flows::password_reset::{self, VerifyResetCode};
use crate::flows::register::{self, Register};
use crate::flows::verify_email::{self, VerifyEmail};
use crate::flows::{logout, refresh};
use crate::model::password::Password;
use crate::proto::keyward::v1::auth_service_server::AuthService;
use crate::proto::keyward::v1::{
    LoginRequest, LoginResponse, RefreshTokensRequest, RefreshTokensResponse, RegisterRequest, RegisterResponse,
    RequestPasswordResetRequest, RequestPasswordResetResponse, ResendVerificationCodeRequest,
    ResendVerificationCodeResponse, ResetPasswordRequest, ResetPasswordResponse, RevokeRefreshTokenRequest,
    RevokeRefreshTokenResponse, VerifyEmailRequest, VerifyEmailResponse, VerifyPasswordResetCodeRequest,
    VerifyPasswordResetCodeResponse,
};

/// Serves AuthService.
#[derive(Clone, Debug)]
pub(super) struct Auth(pub(super) Arc<App>);

#[tonic::async_trait]
impl AuthService for Auth {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<RegisterResponse>, Status> {
        let read = |call: &Accepted<RegisterRequest>| {
            let email = convert::email(&call.message.email);
            let password = convert::new_password("password", &call.message.password);
            (email, password, convert::display_name("display_name", &call.message.display_name))
        };
        let (call, (email, password, display_name)) = accept_new(&self.0, request, |it| &it.password, read).await?;
        let from = call.device_origin()?;
        let sent = register::register(&self.0, &from, Register { email, password, display_name }).await?;
        Ok(Response::new(RegisterResponse {
            registration_id: sent.registration_id.to_string(),
            code_expire_time: Some(timestamp(sent.code_expires_at)),
            resend_available_time: Some(timestamp(sent.resend_available_at)),
        }))
    }

    async fn resend_verification_code(
        &self,
        request: Request<ResendVerificationCodeRequest>,
    ) -> Result<Response<ResendVerificationCodeResponse>, Status> {
        let (call, registration_id) =
            accept_as(request, |call| convert::id("registration_id", &call.message.registration_id))?;
        let from = call.device_origin()?;
        let sent = register::resend_code(&self.0, &from, registration_id).await?;
        Ok(Response::new(ResendVerificationCodeResponse {
            code_expire_time: Some(timestamp(sent.code_expires_at)),
            resend_available_time: Some(timestamp(sent.resend_available_at)),
        }))
    }

    async fn verify_email(
        &self,
        request: Request<VerifyEmailRequest>,
    ) -> Result<Response<VerifyEmailResponse>, Status> {
        let (call, (registration_id, code)) = accept_as(request, |call| {
            (convert::id("registration_id", &call.message.registration_id), convert::code(&call.message.code))
        })?;
        let from = call.device_origin()?;
        let user = verify_email::verify_email(&self.0, &from, VerifyEmail { registration_id, code }).await?;
        Ok(Response::new(VerifyEmailResponse { user: Some(user.into()) }))
    }

    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let (call, email) = accept_as(request, |call| convert::email(&call.message.email))?;
        let from = call.device_origin()?;
        let password = Password::presented(&call.message.password);
        let address_lockout = call.address_lockout();
        let device_name = call.message.device_name;
        let request = Login { email, password, device_name, address_lockout };
        attempts::answer(login::login(&self.0, &from, request).await)
    }

    async fn refresh_tokens(
        &self,
        request: Request<RefreshTokensRequest>,
    ) -> Result<Response<RefreshTokensResponse>, Status> {
        let call = accept(request)?;
        let from = call.device_origin()?;
        let refreshed = refresh::refresh(&self.0, &from, call.message.refresh_token.into()).await?;
        Ok(Response::new(RefreshTokensResponse {
            session: Some(convert::session(refreshed.session, true)),
            tokens: Some(refreshed.tokens.into()),
        }))
    }

    async fn request_password_reset(
        &self,
        request: Request<RequestPasswordResetRequest>,
    ) -> Result<Response<RequestPasswordResetResponse>, Status> {
        let (call, email) = accept_as(request, |call| convert::email(&call.message.email))?;
        let from = call.device_origin()?;
        let requested = password_reset::request(&self.0, &from, email).await?;
        Ok(Response::new(RequestPasswordResetResponse {
            reset_id: requested.reset_id.to_string(),
            code_expire_time: Some(timestamp(requested.code_expires_at)),
        }))
    }

    async fn verify_password_reset_code(
        &self,
        request: Request<VerifyPasswordResetCodeRequest>,
    ) -> Result<Response<VerifyPasswordResetCodeResponse>, Status> {
        let (call, (reset_id, code)) = accept_as(request, |call| {
            (convert::id("reset_id", &call.message.reset_id), convert::code(&call.message.code))
        })?;
        let from = call.device_origin()?;
        let allowed = password_reset::verify_code(&self.0, &from, VerifyResetCode { reset_id, code }).await?;
        Ok(Response::new(VerifyPasswordResetCodeResponse {
            reset_token: allowed.reset_token.expose_secret().to_owned(),
            expire_time: Some(timestamp(allowed.expires_at)),
        }))
    }

    async fn reset_password(
        &self,
        request: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        let (call, (token, new_password)) = accept_as(request, |call| {
            let token = convert::reset_token(&call.message.reset_token, &self.0.master);
            (token, convert::new_password("new_password", &call.message.new_password))
        })?;
        let from = call.device_origin()?;
        password_reset::reset_password(&self.0, &from, token, new_password).await?;
        Ok(Response::new(ResetPasswordResponse {}))
    }

    async fn revoke_refresh_token(
        &self,
        request: Request<RevokeRefreshTokenRequest>,
    ) -> Result<Response<RevokeRefreshTokenResponse>, Status> {
        let call = accept(request)?;
        logout::revoke_refresh_token(&self.0, &call.act()?, &call.message.refresh_token).await?;
        Ok(Response::new(RevokeRefreshTokenResponse {}))
    }
}

impl From<LoggedIn> for LoginResponse {
    fn from(logged_in: LoggedIn) -> Self {
        let evicted = logged_in.evicted_sessions.into_iter().map(|session| convert::session(session, false));
        Self {
            user: Some(logged_in.user.into()),
            session: Some(convert::session(logged_in.session, true)),
            tokens: Some(logged_in.tokens.into()),
            evicted_sessions: evicted.collect(),
        }
    }
}
