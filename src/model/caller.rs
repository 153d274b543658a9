//! Who is calling, once proved.

use chrono::{DateTime, Utc};

use super::device::DeviceId;
use super::id::{SessionId, UserId};

/// A user with a verified, unrevoked access token, presented by the device that it was issued to.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The session whose access token was presented.
    pub session_id: SessionId,
    /// The device that the session is bound to.
    pub device_id: DeviceId,
    /// The user's roles when the token was issued.
    pub roles: Vec<String>,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
}
