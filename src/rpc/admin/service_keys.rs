//! ListServiceKeys, CreateServiceKey, RevokeServiceKey.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use super::Admin;
use crate::error::Error;
use crate::flows::service_keys::{self, NewKey};
use crate::model::permission::Permission;
use crate::model::service_key::{ServiceKey, ServiceKeyName};
use crate::proto::keyward::v1 as pb;
use crate::rpc::accept::accept_as;
use crate::rpc::fields::all;
use crate::rpc::{convert, page};

pub(super) async fn list(
    admin: &Admin,
    request: Request<pb::ListServiceKeysRequest>,
) -> Result<Response<pb::ListServiceKeysResponse>, Status> {
    let (call, (list, after)) = accept_as(request, |call| {
        let list = admin.list("ListServiceKeys", call)?;
        let after = list.after(&call.message.page_token)?;
        Ok((list, after))
    })?;
    let size = page::size(call.message.page_size);
    let found = service_keys::list(&admin.0, after, size.saturating_add(1)).await?;
    let (keys, next_page_token) = list.page(found, size, |key| key.service_key_id.uuid());
    let service_keys = keys.into_iter().map(Into::into).collect();
    Ok(Response::new(pb::ListServiceKeysResponse { service_keys, next_page_token }))
}

pub(super) async fn create(
    admin: &Admin,
    request: Request<pb::CreateServiceKeyRequest>,
) -> Result<Response<pb::CreateServiceKeyResponse>, Status> {
    let now = admin.0.clock.now();
    let (call, new) = accept_as(request, |call| new_key(&call.message, now))?;
    let (key, secret) = service_keys::create(&admin.0, &call.act()?, new).await?;
    let key_text = secret.expose_secret().to_owned();
    Ok(Response::new(pb::CreateServiceKeyResponse { service_key: Some(key.into()), key: key_text }))
}

pub(super) async fn revoke(
    admin: &Admin,
    request: Request<pb::RevokeServiceKeyRequest>,
) -> Result<Response<pb::RevokeServiceKeyResponse>, Status> {
    let (call, service_key_id) =
        accept_as(request, |call| convert::id("service_key_id", &call.message.service_key_id))?;
    service_keys::revoke(&admin.0, &call.act()?, service_key_id).await?;
    Ok(Response::new(pb::RevokeServiceKeyResponse {}))
}

fn new_key(message: &pb::CreateServiceKeyRequest, now: DateTime<Utc>) -> Result<NewKey, Error> {
    let (name, permissions, expires_at) = all((
        ServiceKeyName::parse(&message.name).map_err(|cause| Error::invalid("name", cause.to_string())),
        convert::names("permissions", &message.permissions),
        convert::end("expire_time", message.expire_time, now),
    ))?;
    Ok(NewKey { name, permissions, expires_at })
}

impl From<ServiceKey> for pb::ServiceKey {
    fn from(key: ServiceKey) -> Self {
        Self {
            service_key_id: key.service_key_id.to_string(),
            name: key.name.as_str().to_owned(),
            key_prefix: key.key_prefix,
            permissions: key.permissions.iter().map(Permission::to_string).collect(),
            create_time: Some(convert::timestamp(key.created_at)),
            expire_time: key.expires_at.map(convert::timestamp),
            last_used_time: key.last_used_at.map(convert::timestamp),
        }
    }
}
