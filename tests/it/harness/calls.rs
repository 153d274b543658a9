//! The calls of a device, each with the little that a story has to say about it.

use keyward::proto::keyward::v1::revoke_session_request::Target;
use keyward::proto::keyward::v1::{
    ChangePasswordRequest, DeleteAccountRequest, GetAccountRequest, GetOriginRequest, GetOriginResponse,
    ListSessionsRequest, ListSessionsResponse, LoginRequest, LoginResponse, LogoutRequest, RefreshTokensRequest,
    RefreshTokensResponse, RegisterRequest, RegisterResponse, RequestPasswordResetRequest,
    RequestPasswordResetResponse, ResendVerificationCodeRequest, ResendVerificationCodeResponse, ResetPasswordRequest,
    RevokeAllSessionsRequest, RevokeSessionRequest, Session, UpdateAccountRequest, User, VerifyEmailRequest,
    VerifyEmailResponse, VerifyPasswordResetCodeRequest, VerifyPasswordResetCodeResponse,
};

use super::device::Device;
use super::refusal::{Refusal, answer};

/// The password of everybody who does not say otherwise.
pub(crate) const PASSWORD: &str = "seven lamps over the canal";

type Answer<T> = Result<T, Refusal>;

impl Device {
    pub(crate) async fn register(&self, email: &str) -> Answer<RegisterResponse> {
        self.register_as(email, PASSWORD, "Somebody").await
    }

    pub(crate) async fn register_as(&self, email: &str, password: &str, name: &str) -> Answer<RegisterResponse> {
        let (email, password, display_name) = (email.to_owned(), password.to_owned(), name.to_owned());
        answer(self.auth().register(RegisterRequest { email, password, display_name }).await)
    }

    pub(crate) async fn resend_code(&self, registration_id: &str) -> Answer<ResendVerificationCodeResponse> {
        let registration_id = registration_id.to_owned();
        answer(self.auth().resend_verification_code(ResendVerificationCodeRequest { registration_id }).await)
    }

    pub(crate) async fn verify_email(&self, registration_id: &str, code: &str) -> Answer<VerifyEmailResponse> {
        let (registration_id, code) = (registration_id.to_owned(), code.to_owned());
        answer(self.auth().verify_email(VerifyEmailRequest { registration_id, code }).await)
    }

    pub(crate) async fn login(&self, email: &str) -> Answer<LoginResponse> {
        self.login_with(email, PASSWORD).await
    }

    pub(crate) async fn login_with(&self, email: &str, password: &str) -> Answer<LoginResponse> {
        let (email, password, device_name) = (email.to_owned(), password.to_owned(), String::new());
        answer(self.auth().login(LoginRequest { email, password, device_name }).await)
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Answer<RefreshTokensResponse> {
        let refresh_token = refresh_token.to_owned();
        answer(self.auth().refresh_tokens(RefreshTokensRequest { refresh_token }).await)
    }

    pub(crate) async fn request_password_reset(&self, email: &str) -> Answer<RequestPasswordResetResponse> {
        let email = email.to_owned();
        answer(self.auth().request_password_reset(RequestPasswordResetRequest { email }).await)
    }

    pub(crate) async fn verify_reset_code(
        &self,
        reset_id: &str,
        code: &str,
    ) -> Answer<VerifyPasswordResetCodeResponse> {
        let (reset_id, code) = (reset_id.to_owned(), code.to_owned());
        answer(self.auth().verify_password_reset_code(VerifyPasswordResetCodeRequest { reset_id, code }).await)
    }

    pub(crate) async fn reset_password(&self, reset_token: &str, new_password: &str) -> Answer<()> {
        let (reset_token, new_password) = (reset_token.to_owned(), new_password.to_owned());
        answer(self.auth().reset_password(ResetPasswordRequest { reset_token, new_password }).await).map(drop)
    }

    /// The first page of sessions, which is all of them unless the device limit was raised.
    pub(crate) async fn list_sessions(&self) -> Answer<Vec<Session>> {
        Ok(self.list_sessions_page(0, "").await?.sessions)
    }

    pub(crate) async fn list_sessions_page(&self, page_size: i32, page_token: &str) -> Answer<ListSessionsResponse> {
        let page_token = page_token.to_owned();
        answer(self.sessions().list_sessions(ListSessionsRequest { page_size, page_token }).await)
    }

    pub(crate) async fn revoke_session(&self, session_id: &str) -> Answer<()> {
        let target = Some(Target::SessionId(session_id.to_owned()));
        answer(self.sessions().revoke_session(RevokeSessionRequest { target }).await).map(drop)
    }

    pub(crate) async fn revoke_device(&self, device_id: &str) -> Answer<()> {
        let target = Some(Target::DeviceId(device_id.to_owned()));
        answer(self.sessions().revoke_session(RevokeSessionRequest { target }).await).map(drop)
    }

    /// How many were revoked.
    pub(crate) async fn revoke_all_sessions(&self, keep_current: bool) -> Answer<i32> {
        let request = RevokeAllSessionsRequest { keep_current };
        Ok(answer(self.sessions().revoke_all_sessions(request).await)?.revoked_count)
    }

    pub(crate) async fn logout(&self) -> Answer<()> {
        answer(self.sessions().logout(LogoutRequest {}).await).map(drop)
    }

    pub(crate) async fn get_origin(&self) -> Answer<GetOriginResponse> {
        answer(self.sessions().get_origin(GetOriginRequest {}).await)
    }

    pub(crate) async fn get_account(&self) -> Answer<User> {
        Ok(answer(self.account().get_account(GetAccountRequest {}).await)?.user.unwrap())
    }

    pub(crate) async fn update_account(&self, user: User, paths: &[&str]) -> Answer<User> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let update_mask = Some(prost_types::FieldMask { paths });
        let request = UpdateAccountRequest { user: Some(user), update_mask };
        Ok(answer(self.account().update_account(request).await)?.user.unwrap())
    }

    pub(crate) async fn change_password(&self, current: &str, new: &str) -> Answer<()> {
        let (current_password, new_password) = (current.to_owned(), new.to_owned());
        answer(self.account().change_password(ChangePasswordRequest { current_password, new_password }).await).map(drop)
    }

    pub(crate) async fn delete_account(&self, current_password: &str) -> Answer<()> {
        let current_password = current_password.to_owned();
        answer(self.account().delete_account(DeleteAccountRequest { current_password }).await).map(drop)
    }
}
