//! AccountService: the signed-in user's own account.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::accept::accept;
use super::convert;
use crate::app::App;
use crate::error::Error;
use crate::flows::account;
use crate::model::password::Password;
use crate::model::user::ProfileChange;
use crate::proto::keyward::v1::account_service_server::AccountService;
use crate::proto::keyward::v1::{
    ChangePasswordRequest, ChangePasswordResponse, DeleteAccountRequest, DeleteAccountResponse, GetAccountRequest,
    GetAccountResponse, UpdateAccountRequest, UpdateAccountResponse, User,
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
        let caller = call.caller()?;
        let change = profile_change(call.message)?;
        let user = account::update(&self.0, &caller, change).await?;
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
        account::delete(&self.0, &call.caller()?, current).await?;
        Ok(Response::new(DeleteAccountResponse {}))
    }
}

/// What an update mask (AIP-134) says is to change; an empty one means every field that is set.
fn profile_change(request: UpdateAccountRequest) -> Result<ProfileChange, Error> {
    let User { display_name, locale, .. } = request.user.unwrap_or_default();
    let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
    let mut change = ProfileChange::default();
    let named = |path: &str| paths.iter().any(|named| named == path);
    if let Some(unknown) = paths.iter().find(|path| !matches!(path.as_str(), "display_name" | "locale")) {
        return Err(Error::invalid("update_mask", format!("cannot change {unknown:?}")));
    }
    if named("display_name") || (paths.is_empty() && !display_name.is_empty()) {
        change.display_name = Some(convert::display_name("user.display_name", &display_name)?);
    }
    if named("locale") || (paths.is_empty() && !locale.is_empty()) {
        change.locale = Some(convert::locale("user.locale", &locale)?);
    }
    Ok(change)
}
