//! A session: one signed-in device, until it is revoked, evicted or expires.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::device::{DeviceId, DeviceName};
use super::id::{SessionId, UserId};

/// A session as its user sees it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its identifier.
    pub session_id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The device that it is bound to.
    pub device_id: DeviceId,
    /// What the device calls itself.
    pub device_name: DeviceName,
    /// The address of its last login or refresh.
    pub ip_address: IpAddr,
    /// The user agent of its last login or refresh.
    pub user_agent: String,
    /// When the device logged in.
    pub created_at: DateTime<Utc>,
    /// When it last logged in or refreshed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is used before.
    pub expires_at: DateTime<Utc>,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its device logged out.
    Logout,
    /// Its user revoked it.
    Revoked,
    /// The same device logged in again.
    Replaced,
    /// It made room for another device.
    Evicted,
    /// The password was changed or reset.
    PasswordChanged,
    /// An outdated refresh token of it was presented.
    TokenReused,
    /// Its user was suspended.
    Suspended,
}

impl EndReason {
    /// The name under which it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "LOGOUT",
            Self::Revoked => "REVOKED",
            Self::Replaced => "REPLACED",
            Self::Evicted => "EVICTED",
            Self::PasswordChanged => "PASSWORD_CHANGED",
            Self::TokenReused => "TOKEN_REUSED",
            Self::Suspended => "SUSPENDED",
        }
    }
}
