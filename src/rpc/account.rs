//! AccountService: the signed-in user's own account.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::accept::{accept, accept_as};
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
        let (call, change) = accept_as(request, |call| {
            convert::profile_change(call.message.user.as_ref(), call.message.update_mask.as_ref())
        })?;
        let (act, caller) = (call.act()?, call.caller()?);
        let user = account::update(&self.0, &act, &caller, change).await?;
        Ok(Response::new(UpdateAccountResponse { user: Some(user.into()) }))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Result<Response<ChangePasswordResponse>, Status> {
        let (call, new) = accept_as(request, |call| convert::new_password("new_password", &call.message.new_password))?;
        let (caller, from) = (call.caller()?, call.device_origin()?);
        let current = Password::presented(&call.message.current_password);
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
