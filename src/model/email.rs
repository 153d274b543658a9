//! The address that an account is known by.
//!
//! An `Email` is always canonical: two spellings that differ in case are one address, here as in the database. Whether
//! anybody reads mail there is shown by a code, not decided here.

use std::fmt;

use email_address::{EmailAddress, Options};
use thiserror::Error;

/// A canonical e-mail address: the ASCII dot-atom form of RFC 5321 in lower case, with a dotted domain name.
///
/// It is personal data, so that `Debug` does not print it and there is no `Display`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

/// Why a text is not taken as an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmailInvalid {
    /// Longer than mail servers carry (RFC 5321, 4.5.3.1.3, less the brackets).
    #[error("an e-mail address has at most {} bytes", Email::MAX_BYTES)]
    TooLong,
    /// Not of the form `local@domain.example`.
    #[error("not an e-mail address of the form local@domain.example")]
    Malformed,
}

impl Email {
    /// The longest address, in bytes.
    pub const MAX_BYTES: usize = 254;

    /// Takes an address as a person typed it, without the white space around it, and lower-cases it.
    ///
    /// # Errors
    /// When it is too long, or not a plain ASCII address: quoted local parts, comments, display names, address literals
    /// and domains of a single label are refused as well.
    pub fn parse(text: &str) -> Result<Self, EmailInvalid> {
        let text = text.trim();
        if text.len() > Self::MAX_BYTES {
            return Err(EmailInvalid::TooLong);
        }
        if !text.is_ascii() || text.contains('"') {
            return Err(EmailInvalid::Malformed);
        }
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        EmailAddress::parse_with_options(text, options).map_err(|_| EmailInvalid::Malformed)?;
        let email = Self(text.to_ascii_lowercase());
        if is_host_name(email.domain()) { Ok(email) } else { Err(EmailInvalid::Malformed) }
    }

    /// The whole address, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// The address without a tag behind `+` in its local part: where mail to all of these goes to one mailbox.
    #[must_use]
    pub fn without_tag(&self) -> String {
        let local = self.local_part().split_once('+').map_or(self.local_part(), |(local, _)| local);
        format!("{local}@{}", self.domain())
    }

    /// What stands after the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// The grammar of addresses lets a domain be made of any atoms; one that DNS can hold has letters, digits and hyphens, and
/// a last label that is not a number (RFC 1123, 2.1: that would be an IPv4 address).
fn is_host_name(domain: &str) -> bool {
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn case_does_not_tell_addresses_apart() {
        let email = Email::parse("Ada.Lovelace+Keys@Example.ORG").unwrap();
        assert_eq!(email.as_str(), "ada.lovelace+keys@example.org");
        assert_eq!(email.local_part(), "ada.lovelace+keys");
        assert_eq!(email.domain(), "example.org");
        assert_eq!(email, Email::parse("ada.lovelace+keys@example.org").unwrap());
    }

    #[test]
    fn white_space_around_an_address_is_not_part_of_it() {
        let email = Email::parse("ada@example.org").unwrap();
        for space in [" ", "\t", "\r\n", "\u{a0}", "\u{2003}", "\u{3000}", "\u{2028}", &" ".repeat(1000)] {
            assert_eq!(Email::parse(&format!("{space}Ada@example.org{space}")).unwrap(), email, "{space:?}");
        }
    }

    #[test]
    fn a_tag_is_what_stands_behind_a_plus() {
        for (address, untagged) in [
            ("ada@example.org", "ada@example.org"),
            ("ada+keys@example.org", "ada@example.org"),
            ("ada+a+b@example.org", "ada@example.org"),
            ("ada+@example.org", "ada@example.org"),
            ("+ada@example.org", "@example.org"),
        ] {
            assert_eq!(Email::parse(address).unwrap().without_tag(), untagged);
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let domain = format!("{0}.{0}.{0}.org", "d".repeat(60));
        let longest = format!("{}@{domain}", "l".repeat(Email::MAX_BYTES - domain.len() - 1));
        assert_eq!(longest.len(), Email::MAX_BYTES);
        Email::parse(&longest).unwrap_err();
        let fitting = format!("{}@{domain}", "l".repeat(64));
        Email::parse(&fitting).unwrap();
        assert_eq!(Email::parse(&format!("l{longest}")), Err(EmailInvalid::TooLong));
        assert_eq!(Email::parse(&format!("l{fitting}")), Err(EmailInvalid::Malformed), "local part of 65");
        Email::parse(&format!("a@{}.org", "d".repeat(64))).unwrap_err();
    }

    #[test]
    fn only_plain_addresses_are_taken() {
        for text in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.org",
            "ada@localhost",
            "ada@example.",
            "ada@.org",
            "ada@ex..org",
            ".ada@example.org",
            "ada.@example.org",
            "a..b@example.org",
            "a b@example.org",
            "ada @example.org",
            "ada@ example.org",
            "ada@example.\u{a0}org",
            "   ",
            "ada\r\nBcc: eve@example.org",
            "\"ada\"@example.org",
            "\"a@b\"@example.org",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada(comment)@example.org",
            "Ada <ada@example.org>",
            "<ada@example.org>",
            "ada@exa_mple.org",
            "ada@exam!ple.org",
            "ada@-example.org",
            "ada@example-.org",
            "ada@b@example.org",
            "ädä@example.org",
            "ada@exämple.org",
            "ada@example.org\0",
            "ada,eve@example.org",
            "ada@example.org,eve@example.org",
            "ada;@example.org",
        ] {
            assert_eq!(Email::parse(text), Err(EmailInvalid::Malformed), "{text:?}");
        }
        for text in
            ["a@b.co", "o'neil@example.co.uk", "1234567890@example.org", "ada@xn--exmple-cua.org", "a@1.example"]
        {
            Email::parse(text).unwrap();
        }
    }

    #[test]
    fn debug_hides_it() {
        let email = Email::parse("ada@example.org").unwrap();
        assert_eq!(format!("{email:?}"), "Email(..)");
    }
}
