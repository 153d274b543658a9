//! ListServiceKeys, CreateServiceKey, RevokeServiceKey.

use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use super::Admin;
use crate::error::Error;
use crate::flows::service_keys::{self, NewKey};
use crate::model::permission::Permission;
use crate::model::service_key::{ServiceKey, ServiceKeyName};
use crate::proto::keyward::v1 as pb;
use crate::rpc::accept::accept;
use crate::rpc::{convert, page};

pub(super) async fn list(
    admin: &Admin,
    request: Request<pb::ListServiceKeysRequest>,
) -> Result<Response<pb::ListServiceKeysResponse>, Status> {
    let call = accept(request)?;
    let list = admin.list("ListServiceKeys", &call)?;
    let size = page::size(call.message.page_size);
    let after = list.after(&call.message.page_token)?;
    let found = service_keys::list(&admin.0, after, size.saturating_add(1)).await?;
    let (keys, next_page_token) = list.page(found, size, |key| key.service_key_id.uuid());
    let service_keys = keys.into_iter().map(Into::into).collect();
    Ok(Response::new(pb::ListServiceKeysResponse { service_keys, next_page_token }))
}

pub(super) async fn create(
    admin: &Admin,
    request: Request<pb::CreateServiceKeyRequest>,
) -> Result<Response<pb::CreateServiceKeyResponse>, Status> {
    let call = accept(request)?;
    let by = call.act()?;
    let (key, secret) = service_keys::create(&admin.0, &by, new_key(&call.message)?).await?;
    let key_text = secret.expose_secret().to_owned();
    Ok(Response::new(pb::CreateServiceKeyResponse { service_key: Some(key.into()), key: key_text }))
}

pub(super) async fn revoke(
    admin: &Admin,
    request: Request<pb::RevokeServiceKeyRequest>,
) -> Result<Response<pb::RevokeServiceKeyResponse>, Status> {
    let call = accept(request)?;
    let service_key_id = convert::id("service_key_id", &call.message.service_key_id)?;
    service_keys::revoke(&admin.0, &call.act()?, service_key_id).await?;
    Ok(Response::new(pb::RevokeServiceKeyResponse {}))
}

fn new_key(message: &pb::CreateServiceKeyRequest) -> Result<NewKey, Error> {
    let name = ServiceKeyName::parse(&message.name).map_err(|cause| Error::invalid("name", cause.to_string()))?;
    let permissions = convert::names("permissions", &message.permissions)?;
    let expires_at = message.expire_time.map(|time| convert::time("expire_time", time)).transpose()?;
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
