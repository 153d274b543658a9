//! AccountService: the signed-in user's own account.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::accept::accept;
use super::convert;
use crate::app::App;
use crate::flows::account;
use crate::model::password::Password;
use crate::proto::keyward::v1::account_service_server::AccountService;
use crate::proto::keyward::v1::{
    ChangePasswordRequest, ChangePasswordResponse, DeleteAccountRequest, DeleteAccountResponse, GetAccountRequest,
    GetAccountResponse, UpdateAccountRequest, UpdateAccountResponse,
};

/// Serves AccountService.
#[derive(Clone, Debug)]
pub(super) struct Account(pub(super) Arc<App>);

#[tonic::async_trait]
impl AccountService for Account {
    async fn get_account(&self, request: Request<GetAccountRequest>) -> Result<Response<GetAccountResponse>, Status> {
        let call = accept(request)?;
        let user = account::get(&self.0, &call.caller()?).await?;
        Ok(Response::new(GetAccountResponse { user: Some(user.into()) }))
    }

    async fn update_account(
        &self,
        request: Request<UpdateAccountRequest>,
    ) -> Result<Response<UpdateAccountResponse>, Status> {
        let call = accept(request)?;
        let (act, caller) = (call.act()?, call.caller()?);
        let UpdateAccountRequest { user, update_mask } = call.message;
        let change = convert::profile_change(user, update_mask)?;
        let user = account::update(&self.0, &act, &caller, change).await?;
        Ok(Response::new(UpdateAccountResponse { user: Some(user.into()) }))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Result<Response<ChangePasswordResponse>, Status> {
        let call = accept(request)?;
        let (caller, from) = (call.caller()?, call.device_origin()?);
        let current = Password::presented(&call.message.current_password);
        let new = convert::new_password("new_password", &call.message.new_password)?;
        account::change_password(&self.0, &caller, &from, current, new).await?;
        Ok(Response::new(ChangePasswordResponse {}))
    }

    async fn delete_account(
        &self,
        request: Request<DeleteAccountRequest>,
    ) -> Result<Response<DeleteAccountResponse>, Status> {
        let call = accept(request)?;
        let current = Password::presented(&call.message.current_password);
        account::delete(&self.0, &call.act()?, &call.caller()?, current).await?;
        Ok(Response::new(DeleteAccountResponse {}))
    }
}
