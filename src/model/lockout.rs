//! Lockouts: who is refused for a while after too many failures, and by what such a lockout is found again.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::device::DeviceId;
use super::id::{SessionId, UserId};
use super::operation::{Operation, Scope};

/// What is locked out. As text it is opaque, names nobody, and can stand in a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LockoutKey {
    /// A device or an address, by its keyed hash, from one operation.
    Counted {
        /// The operation.
        operation: Operation,
        /// Whether it is a device or an address.
        scope: Scope,
        /// Its hash.
        subject: [u8; 16],
    },
    /// An address that has tried too many accounts, from logging in.
    Network(IpNet),
    /// An account, by the keyed hash of its address, for strangers (no device) or for a device that it knows.
    Account {
        /// The hash of the address.
        address_hash: Vec<u8>,
        /// The device; empty for all strangers.
        device_id: String,
    },
    /// A session, from being refreshed.
    Session(SessionId),
}

/// Why something is locked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockoutCause {
    /// A device, an address or a session has failed too often at an operation.
    Failures,
    /// An address has failed to log in to too many accounts.
    ManyAccounts,
    /// The password of an account was wrong too often of late.
    WrongPasswords,
    /// The password of an account was wrong so often in a row that only another one helps.
    WrongPasswordsInARow,
}

/// A lockout as it stands.
#[derive(Clone, Debug)]
pub struct Lockout {
    /// What is locked out.
    pub key: LockoutKey,
    /// Why.
    pub cause: LockoutCause,
    /// Who: a device id, an address or network, an e-mail address, or a session's id; empty when that is not known.
    pub subject: String,
    /// The device that alone is locked out of an account, or that a session is on; empty else.
    pub device_id: String,
    /// The network that a device is locked out on; empty else.
    pub network: String,
    /// How many failures led to it.
    pub failures: u32,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// The user whose account it is, if there is one.
    pub user_id: Option<UserId>,
}

impl Lockout {
    /// Its place in the list.
    #[must_use]
    pub fn cursor(&self) -> LockoutCursor {
        let order = match (&self.key, self.cause) {
            (LockoutKey::Counted { .. }, _) => LockoutOrder::Subject,
            (_, LockoutCause::WrongPasswordsInARow) => LockoutOrder::Failures(self.failures),
            _ => LockoutOrder::End(self.expires_at),
        };
        LockoutCursor { key: self.key.clone(), order }
    }
}

/// A place in the list of lockouts: after this one. As text it is opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockoutCursor {
    /// The lockout.
    pub key: LockoutKey,
    /// What it is listed by, before its key.
    pub order: LockoutOrder,
}

/// What a lockout is listed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockoutOrder {
    /// Nothing but its key.
    Subject,
    /// Its end.
    End(DateTime<Utc>),
    /// The failures in a row of an account whose lockout has no end.
    Failures(u32),
}

impl fmt::Display for LockoutCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, order } = self;
        match order {
            LockoutOrder::Subject => write!(f, "s 0 {key}"),
            LockoutOrder::End(end) => write!(f, "e {} {key}", end.timestamp_micros()),
            LockoutOrder::Failures(failures) => write!(f, "f {failures} {key}"),
        }
    }
}

impl FromStr for LockoutCursor {
    type Err = LockoutKeyInvalid;

    fn from_str(text: &str) -> Result<Self, LockoutKeyInvalid> {
        let parts: Vec<_> = text.split(' ').collect();
        let [order, number, key] = parts.as_slice() else { return Err(LockoutKeyInvalid) };
        let end = |micros: i64| DateTime::from_timestamp_micros(micros);
        let order = match *order {
            "s" => Some(LockoutOrder::Subject),
            "e" => number.parse().ok().and_then(end).map(LockoutOrder::End),
            "f" => number.parse().ok().map(LockoutOrder::Failures),
            _ => None,
        };
        Ok(Self { key: key.parse()?, order: order.ok_or(LockoutKeyInvalid)? })
    }
}

/// What a network is called that stands for one client: IPv4 by the address that it is.
#[must_use]
pub fn network_name(network: IpNet) -> String {
    match network {
        IpNet::V4(v4) if v4.prefix_len() == v4.max_prefix_len() => v4.addr().to_string(),
        other => other.to_string(),
    }
}

/// A text that is no lockout's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the identifier of a lockout")]
pub struct LockoutKeyInvalid;

impl fmt::Display for LockoutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Counted { operation, scope, subject } => {
                format!("c {} {} {}", operation.as_str(), scope.as_str(), URL_SAFE_NO_PAD.encode(subject))
            }
            Self::Network(network) => format!("n {network}"),
            Self::Account { address_hash, device_id } => {
                format!("a {} {device_id}", URL_SAFE_NO_PAD.encode(address_hash))
            }
            Self::Session(session_id) => format!("s {session_id}"),
        };
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for LockoutKey {
    type Err = LockoutKeyInvalid;

    fn from_str(text: &str) -> Result<Self, LockoutKeyInvalid> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| LockoutKeyInvalid)?;
        let text = String::from_utf8(bytes).map_err(|_| LockoutKeyInvalid)?;
        let hash = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| LockoutKeyInvalid);
        match text.split(' ').collect::<Vec<_>>().as_slice() {
            ["c", operation, scope, subject] => Ok(Self::Counted {
                operation: Operation::from_name(operation).ok_or(LockoutKeyInvalid)?,
                scope: Scope::from_name(scope).ok_or(LockoutKeyInvalid)?,
                subject: hash(subject)?.try_into().map_err(|_| LockoutKeyInvalid)?,
            }),
            ["s", session_id] => session_id.parse().map(Self::Session).map_err(|_| LockoutKeyInvalid),
            ["n", network] => network.parse().map(Self::Network).map_err(|_| LockoutKeyInvalid),
            ["a", address_hash, device_id] if device_id.is_empty() || DeviceId::parse(device_id).is_ok() => {
                Ok(Self::Account { address_hash: hash(address_hash)?, device_id: (*device_id).to_owned() })
            }
            _ => Err(LockoutKeyInvalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        DateTime, Engine, LockoutCursor, LockoutKey, LockoutKeyInvalid, LockoutOrder, Operation, Scope, URL_SAFE_NO_PAD,
    };

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let end = DateTime::from_timestamp_micros(1_893_456_000_123_456).unwrap_or_default();
        let key = LockoutKey::Account { address_hash: vec![7; 32], device_id: "A.b_c:d-9".to_owned() };
        for order in [LockoutOrder::Subject, LockoutOrder::End(end), LockoutOrder::Failures(100)] {
            let cursor = LockoutCursor { key: key.clone(), order };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "e", "e x YQ", &key.to_string(), &format!("g 0 {key}")] {
            assert_eq!(text.parse::<LockoutCursor>(), Err(LockoutKeyInvalid), "{text}");
        }
    }

    #[test]
    fn an_identifier_leads_back_to_what_is_locked_out_and_can_stand_in_a_path() {
        let keys = [
            LockoutKey::Counted { operation: Operation::Login, scope: Scope::IpAddress, subject: [255; 16] },
            LockoutKey::Network("203.0.113.9/32".parse().unwrap_or_default()),
            LockoutKey::Network("2001:db8:1:2::/64".parse().unwrap_or_default()),
            LockoutKey::Account { address_hash: vec![255; 32], device_id: String::new() },
            LockoutKey::Account { address_hash: vec![0; 32], device_id: "A.b_c:d-9".to_owned() },
            LockoutKey::Session(super::SessionId::new(chrono::DateTime::UNIX_EPOCH)),
        ];
        for key in keys {
            let text = key.to_string();
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
            assert_eq!(text.parse(), Ok(key));
        }
        // The last is that of an account with a device that cannot be.
        for text in ["", "!", "YQ", "YyBsb2dpbiBkZXZpY2UgQUE", &URL_SAFE_NO_PAD.encode("a AAAA a\0b")] {
            assert_eq!(text.parse::<LockoutKey>(), Err(LockoutKeyInvalid), "{text}");
        }
    }
}
