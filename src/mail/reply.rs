//! What a mail server replied, without its text: servers like to quote the address.

use std::fmt;

/// A reply: its code, its enhanced status code, and whether it speaks of relaying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    status: Option<String>,
    mentions_relay: bool,
}

impl Reply {
    /// Reads the text of a reply. The enhanced status code is the first word, or in the form `(#5.7.1)` any word.
    pub(super) fn read(code: u16, text: &str) -> Self {
        let mut words = text.split_whitespace();
        let first = words.next().filter(|word| is_status(word));
        let bracketed =
            || words.find_map(|word| word.strip_prefix("(#")?.strip_suffix(')').filter(|word| is_status(word)));
        let status = first.or_else(bracketed).map(str::to_owned);
        Self { code, status, mentions_relay: text.to_ascii_lowercase().contains("relay") }
    }

    /// The reply code (RFC 5321), such as 550.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code (RFC 3463), such as `5.1.1`, when the server gave one.
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// The subject and the detail of the enhanced status code, such as 1 and 1.
    pub(super) fn status_numbers(&self) -> Option<(u16, u16)> {
        let mut parts = self.status()?.split('.').skip(1).map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }

    /// Whether the text speaks of relaying, which servers without enhanced status codes refuse like an unknown mailbox.
    pub(super) const fn mentions_relay(&self) -> bool {
        self.mentions_relay
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        self.status.iter().try_for_each(|status| write!(f, " {status}"))
    }
}

/// Whether `word` has the form of an enhanced status code: class, subject and detail.
fn is_status(word: &str) -> bool {
    let mut parts = word.split('.');
    matches!(parts.next(), Some("4" | "5"))
        && parts.clone().count() == 2
        && parts.all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
}
