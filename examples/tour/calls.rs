//! Which method takes which request, so that a request can be sent as it is: through the generated clients.

use keyward::proto::keyward::v1::account_service_client::AccountServiceClient;
use keyward::proto::keyward::v1::auth_service_client::AuthServiceClient;
use keyward::proto::keyward::v1::session_service_client::SessionServiceClient;
use keyward::proto::keyward::v1::{
    ChangePasswordRequest, ChangePasswordResponse, DeleteAccountRequest, DeleteAccountResponse, GetAccountRequest,
    GetAccountResponse, ListSessionsRequest, ListSessionsResponse, LoginRequest, LoginResponse, LogoutRequest,
    LogoutResponse, RefreshTokensRequest, RefreshTokensResponse, RegisterRequest, RegisterResponse,
    RequestPasswordResetRequest, RequestPasswordResetResponse, ResetPasswordRequest, ResetPasswordResponse,
    UpdateAccountRequest, UpdateAccountResponse, VerifyEmailRequest, VerifyEmailResponse,
    VerifyPasswordResetCodeRequest, VerifyPasswordResetCodeResponse,
};
use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// A request, which belongs to one method.
pub(crate) trait Call: Message + Sized {
    /// What the method answers.
    type Reply: Message;

    /// The service, without its package.
    const SERVICE: &'static str;

    /// The method within its service.
    const METHOD: &'static str;

    /// Calls the method.
    async fn send(request: Request<Self>, channel: Channel) -> Result<Response<Self::Reply>, Status>;
}

macro_rules! calls {
    ($($service:ident/$method:ident: $client:ident.$function:ident($request:ty) -> $reply:ty;)*) => {$(
        impl Call for $request {
            type Reply = $reply;
            const SERVICE: &'static str = stringify!($service);
            const METHOD: &'static str = stringify!($method);

            async fn send(request: Request<Self>, channel: Channel) -> Result<Response<$reply>, Status> {
                $client::new(channel).$function(request).await
            }
        }
    )*};
}

calls! {
    AuthService/Register: AuthServiceClient.register(RegisterRequest) -> RegisterResponse;
    AuthService/VerifyEmail: AuthServiceClient.verify_email(VerifyEmailRequest) -> VerifyEmailResponse;
    AuthService/Login: AuthServiceClient.login(LoginRequest) -> LoginResponse;
    AuthService/RefreshTokens: AuthServiceClient.refresh_tokens(RefreshTokensRequest) -> RefreshTokensResponse;
    AuthService/RequestPasswordReset:
        AuthServiceClient.request_password_reset(RequestPasswordResetRequest) -> RequestPasswordResetResponse;
    AuthService/VerifyPasswordResetCode:
        AuthServiceClient.verify_password_reset_code(VerifyPasswordResetCodeRequest) -> VerifyPasswordResetCodeResponse;
    AuthService/ResetPassword: AuthServiceClient.reset_password(ResetPasswordRequest) -> ResetPasswordResponse;
    SessionService/ListSessions: SessionServiceClient.list_sessions(ListSessionsRequest) -> ListSessionsResponse;
    SessionService/Logout: SessionServiceClient.logout(LogoutRequest) -> LogoutResponse;
    AccountService/GetAccount: AccountServiceClient.get_account(GetAccountRequest) -> GetAccountResponse;
    AccountService/UpdateAccount: AccountServiceClient.update_account(UpdateAccountRequest) -> UpdateAccountResponse;
    AccountService/ChangePassword:
        AccountServiceClient.change_password(ChangePasswordRequest) -> ChangePasswordResponse;
    AccountService/DeleteAccount: AccountServiceClient.delete_account(DeleteAccountRequest) -> DeleteAccountResponse;
}
