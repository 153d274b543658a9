//! ListSigningKeys, RotateSigningKeys.

use tonic::{Request, Response, Status};

use super::Admin;
use crate::flows::signing_keys::{self, KeyState, KnownKey};
use crate::proto::keyward::v1 as pb;
use crate::proto::keyward::v1::signing_key::{Algorithm, State};
use crate::rpc::accept::{accept, accept_as};
use crate::rpc::{convert, page};

pub(super) async fn list(
    admin: &Admin,
    request: Request<pb::ListSigningKeysRequest>,
) -> Result<Response<pb::ListSigningKeysResponse>, Status> {
    let (call, (list, after)) = accept_as(request, |call| {
        let list = admin.list("ListSigningKeys", call)?;
        let after = list.after(&call.message.page_token)?;
        Ok((list, after))
    })?;
    let found = signing_keys::list_after(&admin.0, after).await?;
    let (keys, next_page_token) = list.page(found, page::size(call.message.page_size), KnownKey::place);
    let signing_keys = keys.into_iter().map(Into::into).collect();
    Ok(Response::new(pb::ListSigningKeysResponse { signing_keys, next_page_token }))
}

pub(super) async fn rotate(
    admin: &Admin,
    request: Request<pb::RotateSigningKeysRequest>,
) -> Result<Response<pb::RotateSigningKeysResponse>, Status> {
    let call = accept(request)?;
    let keys = signing_keys::rotate(&admin.0, &call.act()?, call.message.revoke_existing).await?;
    Ok(Response::new(pb::RotateSigningKeysResponse { signing_keys: keys.into_iter().map(Into::into).collect() }))
}

impl From<KnownKey> for pb::SigningKey {
    fn from(key: KnownKey) -> Self {
        let state = match key.state {
            KeyState::Next => State::Next,
            KeyState::Active => State::Active,
            KeyState::Retiring => State::Retiring,
        };
        let name = format!("ALGORITHM_{}", key.algorithm.to_uppercase());
        Self {
            key_id: key.key_id,
            algorithm: Algorithm::from_str_name(&name).unwrap_or_default().into(),
            state: state.into(),
            create_time: Some(convert::timestamp(key.created_at)),
            activate_time: Some(convert::timestamp(key.active_at)),
            expire_time: key.retired_at.map(convert::timestamp),
        }
    }
}
