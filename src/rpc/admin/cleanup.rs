//! Cleanups by hand.

use tonic::{Request, Response, Status};

use super::super::accept::accept;
use super::Admin;
use crate::flows::cleanup;
use crate::model::cleanup::{Cleanup, CleanupCount, Leftovers};
use crate::proto::keyward::v1 as pb;
use crate::proto::keyward::v1::cleanup_count::Target;

pub(super) async fn run(
    admin: &Admin,
    request: Request<pb::RunCleanupRequest>,
) -> Result<Response<pb::RunCleanupResponse>, Status> {
    let call = accept(request)?;
    let Cleanup { counts, complete } = cleanup::run_until(&admin.0, call.act()?, call.answer_at()?).await?;
    Ok(Response::new(pb::RunCleanupResponse { counts: counts.into_iter().map(Into::into).collect(), complete }))
}

impl From<CleanupCount> for pb::CleanupCount {
    fn from(count: CleanupCount) -> Self {
        let CleanupCount { leftovers, deleted, failed } = count;
        let target: Target = leftovers.into();
        Self { target: target.into(), deleted_count: i64::try_from(deleted).unwrap_or(i64::MAX), failed }
    }
}

impl From<Leftovers> for Target {
    fn from(leftovers: Leftovers) -> Self {
        match leftovers {
            Leftovers::Registrations => Self::Registrations,
            Leftovers::PasswordResets => Self::PasswordResets,
            Leftovers::Sessions => Self::Sessions,
            Leftovers::Revocations => Self::Revocations,
            Leftovers::AuditEvents => Self::AuditEvents,
            Leftovers::Mail => Self::Mail,
            Leftovers::NetworkRules => Self::NetworkRules,
            Leftovers::ServiceKeys => Self::ServiceKeys,
            Leftovers::SigningKeys => Self::SigningKeys,
            Leftovers::Lockouts => Self::Lockouts,
        }
    }
}
