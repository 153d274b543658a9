//! Who is locked out.

use tonic::{Request, Response, Status};

use super::Admin;
use crate::error::Error;
use crate::flows::lockouts::{self, Target};
use crate::model::lockout::{Lockout, LockoutCause, LockoutCursor, LockoutKey};
use crate::model::operation::{Operation, Scope};
use crate::proto::keyward::v1 as pb;
use crate::proto::keyward::v1::clear_lockout_request::Target as PbTarget;
use crate::proto::keyward::v1::lockout::{Cause as PbCause, Scope as PbScope};
use crate::rpc::accept::accept_as;
use crate::rpc::convert::timestamp;
use crate::rpc::{convert, page};

pub(super) async fn list(
    admin: &Admin,
    request: Request<pb::ListLockoutsRequest>,
) -> Result<Response<pb::ListLockoutsResponse>, Status> {
    let (call, (list, after)) = accept_as(request, |call| {
        let list = admin.list("ListLockouts", call)?;
        let after = list.cursor(&call.message.page_token)?.map(cursor).transpose()?;
        Ok((list, after))
    })?;
    let size = page::size(call.message.page_size);
    let found = lockouts::list(&admin.0, after.as_ref(), size.saturating_add(1)).await?;
    let (lockouts, next_page_token) = list.page_by(found, size, |lockout| lockout.cursor().to_string().into());
    Ok(Response::new(pb::ListLockoutsResponse {
        lockouts: lockouts.into_iter().map(Into::into).collect(),
        next_page_token,
    }))
}

pub(super) async fn clear(
    admin: &Admin,
    request: Request<pb::ClearLockoutRequest>,
) -> Result<Response<pb::ClearLockoutResponse>, Status> {
    let (call, target) = accept_as(request, |call| target(call.message.target.as_ref()))?;
    lockouts::clear(&admin.0, &call.act()?, target).await?;
    Ok(Response::new(pb::ClearLockoutResponse {}))
}

fn target(target: Option<&PbTarget>) -> Result<Target, Error> {
    match target {
        // What is no identifier is that of no lockout.
        Some(PbTarget::LockoutId(text)) => Ok(Target::Lockout(text.parse().map_err(|_| Error::LockoutNotFound)?)),
        Some(PbTarget::UserId(text)) => Ok(Target::User(convert::id("user_id", text)?)),
        None => Err(Error::invalid("target", "must be a lockout_id or a user_id")),
    }
}

fn cursor(bytes: Vec<u8>) -> Result<LockoutCursor, Error> {
    let text = String::from_utf8(bytes).map_err(|_| Error::PageTokenInvalid)?;
    text.parse().map_err(|_| Error::PageTokenInvalid)
}

impl From<Lockout> for pb::Lockout {
    fn from(lockout: Lockout) -> Self {
        let Lockout { key, cause, subject, device_id, network, failures, created_at, expires_at, user_id } = lockout;
        let lockout_id = key.to_string();
        let (scope, operation) = match key {
            LockoutKey::Counted { operation, scope: Scope::Device, .. } => (PbScope::Device, operation),
            LockoutKey::Counted { operation, .. } => (PbScope::IpAddress, operation),
            LockoutKey::Network(_) => (PbScope::IpAddress, Operation::Login),
            LockoutKey::Account { .. } => (PbScope::Account, Operation::Login),
            LockoutKey::Session(_) => (PbScope::Session, Operation::Refresh),
        };
        Self {
            lockout_id,
            scope: scope.into(),
            operation: operation.as_str().to_owned(),
            subject,
            user_id: user_id.map(|user_id| user_id.to_string()).unwrap_or_default(),
            failure_count: i32::try_from(failures).unwrap_or(i32::MAX),
            create_time: Some(timestamp(created_at)),
            expire_time: Some(timestamp(expires_at)),
            cause: PbCause::from(cause).into(),
            device_id,
            network,
        }
    }
}

impl From<LockoutCause> for PbCause {
    fn from(cause: LockoutCause) -> Self {
        match cause {
            LockoutCause::Failures => Self::Failures,
            LockoutCause::ManyAccounts => Self::ManyAccounts,
            LockoutCause::WrongPasswords => Self::WrongPasswords,
            LockoutCause::WrongPasswordsInARow => Self::WrongPasswordsInARow,
        }
    }
}
