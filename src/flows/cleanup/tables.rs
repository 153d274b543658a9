//! Which tables hold which leftovers, and how long these are kept once they are over.

use chrono::{DateTime, Utc};

use super::CLOCKS_DIFFER;
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::model::cleanup::Leftovers;
use crate::model::device::KNOWN_FOR;
use crate::store::pg::{
    Deleted, Expired, account_lockouts, audit_events, code_quotas, login_networks, mail_outbox, network_rules,
    password_resets, registrations, revocations, service_keys, sessions, signing_keys, user_devices,
};

/// Rows of a table that are deleted for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Registrations,
    CodeQuotas,
    PasswordResets,
    ExpiredSessions,
    EndedSessions,
    Revocations,
    StaleUsers,
    AuditEvents,
    Mail,
    NetworkRules,
    ExpiredServiceKeys,
    RevokedServiceKeys,
    SigningKeys,
    AccountLockouts,
    LoginNetworks,
    UserDevices,
}

/// Where these leftovers are.
pub(super) const fn of(leftovers: Leftovers) -> &'static [Table] {
    match leftovers {
        Leftovers::Registrations => &[Table::Registrations, Table::CodeQuotas],
        Leftovers::PasswordResets => &[Table::PasswordResets],
        Leftovers::Sessions => &[Table::ExpiredSessions, Table::EndedSessions, Table::UserDevices],
        Leftovers::Revocations => &[Table::Revocations, Table::StaleUsers],
        Leftovers::AuditEvents => &[Table::AuditEvents],
        Leftovers::Mail => &[Table::Mail],
        Leftovers::NetworkRules => &[Table::NetworkRules],
        Leftovers::ServiceKeys => &[Table::ExpiredServiceKeys, Table::RevokedServiceKeys],
        Leftovers::SigningKeys => &[Table::SigningKeys],
        Leftovers::Lockouts => &[Table::AccountLockouts, Table::LoginNetworks],
    }
}

impl Table {
    /// What was over before this is not kept any longer.
    pub(super) fn kept_since(self, app: &App, now: DateTime<Utc>) -> DateTime<Utc> {
        let settings = &app.config.cleanup;
        let kept = match self {
            Self::Registrations => settings.keep_registrations,
            Self::PasswordResets => settings.keep_password_resets,
            Self::ExpiredSessions | Self::EndedSessions => settings.keep_sessions,
            Self::AuditEvents => app.config.audit.retention,
            Self::Mail => settings.keep_mail,
            Self::ExpiredServiceKeys | Self::RevokedServiceKeys => settings.keep_service_keys,
            Self::UserDevices => KNOWN_FOR,
            Self::CodeQuotas
            | Self::Revocations
            | Self::StaleUsers
            | Self::NetworkRules
            | Self::SigningKeys
            | Self::AccountLockouts
            | Self::LoginNetworks => CLOCKS_DIFFER,
        };
        clock::subtract(now, kept)
    }
}

/// Deletes one batch.
pub(super) async fn delete(app: &App, table: Table, expired: Expired) -> Result<Deleted, Error> {
    if table == Table::AuditEvents {
        return delete_audit_events(app, expired).await;
    }
    let conn = &mut *app.job_pool.get().await?;
    let deleted = match table {
        Table::Registrations => registrations::delete_expired(conn, expired).await,
        Table::CodeQuotas => code_quotas::delete_expired(conn, expired).await,
        Table::PasswordResets => password_resets::delete_expired(conn, expired).await,
        Table::ExpiredSessions => sessions::delete_expired(conn, expired).await,
        Table::EndedSessions => sessions::delete_ended(conn, expired).await,
        Table::Revocations => revocations::delete_expired(conn, expired).await,
        Table::StaleUsers => revocations::delete_expired_stale_users(conn, expired).await,
        Table::AuditEvents => Ok(Deleted::default()),
        Table::Mail => mail_outbox::delete_expired(conn, expired).await,
        Table::NetworkRules => network_rules::delete_expired(conn, expired).await,
        Table::ExpiredServiceKeys => service_keys::delete_expired(conn, expired).await,
        Table::RevokedServiceKeys => service_keys::delete_revoked(conn, expired).await,
        Table::SigningKeys => signing_keys::delete_expired(conn, expired).await,
        Table::AccountLockouts => account_lockouts::delete_expired(conn, expired).await,
        Table::LoginNetworks => login_networks::delete_expired(conn, expired).await,
        Table::UserDevices => user_devices::delete_expired(conn, expired).await,
    };
    Ok(deleted?)
}

/// The audit trail gives nothing away but to a transaction that says what it is.
async fn delete_audit_events(app: &App, expired: Expired) -> Result<Deleted, Error> {
    let mut tx = app.job_pool.begin().await?;
    let outcome = audit_events::delete_expired(&mut tx, expired).await;
    tx.end(outcome.map_err(Error::from)).await
}
