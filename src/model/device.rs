//! The client installation that a session lives on: the id it sends, and a name that its owner knows it by.

use std::time::Duration;

use thiserror::Error;

use super::display_name::disturbs_text;

/// How long an account knows a device after its last login or refresh from a network.
pub const KNOWN_FOR: Duration = Duration::from_hours(24 * 90);

/// The `device-id` of a call. Chosen by the client, so that it is a label and no secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

/// A text that is not 1 to 128 characters of `[A-Za-z0-9._:-]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a device id is 1 to {} characters of A-Z a-z 0-9 . _ : -", DeviceId::MAX_CHARS)]
pub struct DeviceIdInvalid;

impl DeviceId {
    /// The longest id, in characters, which are bytes too.
    pub const MAX_CHARS: usize = 128;

    /// Takes an id as a client sent it. Case matters.
    ///
    /// # Errors
    /// When it is empty, too long, or holds another character.
    pub fn parse(text: &str) -> Result<Self, DeviceIdInvalid> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
        if (1..=Self::MAX_CHARS).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DeviceIdInvalid)
        }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.0
    }
}

/// What a device is called in a list of sessions and in mail: one line of 1 to 100 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceName(String);

impl DeviceName {
    /// The longest name, in Unicode characters; more is cut off.
    pub const MAX_CHARS: usize = 100;

    /// The name that the client gave, else a short form of its user agent, else "Unknown device".
    #[must_use]
    pub fn or_from_user_agent(name: &str, user_agent: Option<&str>) -> Self {
        Self::clean(name)
            .or_else(|| Self::clean(&summary(user_agent?)))
            .unwrap_or_else(|| Self("Unknown device".to_owned()))
    }

    /// A text made fit to show: without control characters and surrounding spaces, cut to length. `None` when nothing is left.
    fn clean(text: &str) -> Option<Self> {
        let shown: String = text.chars().filter(|char| !disturbs_text(*char)).collect();
        let cut: String = shown.trim().chars().take(Self::MAX_CHARS).collect();
        let name = cut.trim_end();
        (!name.is_empty()).then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<DeviceName> for String {
    fn from(name: DeviceName) -> Self {
        name.0
    }
}

/// Product tokens of browsers; those that imitate others stand before them.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("", "Browser"),
];

/// Words for operating systems; those that contain others stand before them.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// "Firefox on Windows" for a browser, "acme-app 2.1" for the first product of anything else (RFC 9110, 10.1.5).
fn summary(user_agent: &str) -> String {
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(word, _)| user_agent.contains(word)).map(|(_, name)| *name)
    };
    if user_agent.starts_with("Mozilla/") {
        let browser = find(&BROWSERS).unwrap_or_default();
        find(&SYSTEMS).map_or_else(|| browser.to_owned(), |system| format!("{browser} on {system}"))
    } else {
        user_agent.split_whitespace().next().unwrap_or_default().replacen('/', " ", 1)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn device_ids_have_a_small_alphabet() {
        for text in ["a", "A.b_c:d-9", "::1", "10.0.0.1", &"x".repeat(128)] {
            assert_eq!(DeviceId::parse(text).unwrap().as_str(), text);
        }
        for text in ["", " a", "a b", "a/b", "a\n", "é", "a,b", &"x".repeat(129)] {
            assert_eq!(DeviceId::parse(text), Err(DeviceIdInvalid), "{text:?}");
        }
    }

    #[test]
    fn a_given_name_wins_and_is_cleaned() {
        let name = |text| String::from(DeviceName::or_from_user_agent(text, Some("curl/8.1")));
        assert_eq!(name(" Ada's\u{202e} phone\r\n "), "Ada's phone");
        assert_eq!(name("\u{7}\n"), "curl 8.1");
        assert_eq!(name(&"ö".repeat(150)), "ö".repeat(100));
    }

    #[test]
    fn a_user_agent_is_shortened() {
        let name = |text| String::from(DeviceName::or_from_user_agent("", text));
        assert_eq!(name(Some("grpc-python/1.80.0 grpc-c/54.0.0 (linux; chttp2)")), "grpc-python 1.80.0");
        assert_eq!(
            name(Some(
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0"
            )),
            "Edge on Linux"
        );
        assert_eq!(
            name(Some(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 (KHTML) Version/18 Mobile Safari/604.1"
            )),
            "Safari on iPhone"
        );
        assert_eq!(
            name(Some("Mozilla/5.0 (Windows NT 10.0; rv:132.0) Gecko/20100101 Firefox/132.0")),
            "Firefox on Windows"
        );
        assert_eq!(name(Some("Mozilla/5.0")), "Browser");
        assert_eq!(name(Some("  ")), "Unknown device");
        assert_eq!(name(None), "Unknown device");
    }
}
