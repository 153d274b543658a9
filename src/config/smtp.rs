//! The mail server's URL: the one place that reads it. `smtps://user:password@host:465`, or `smtp://` with `?tls=required`
//! (STARTTLS), `?tls=opportunistic` (STARTTLS if it is offered) or nothing (no TLS).
//!
//! Whatever would be ignored is refused, because a part that is ignored may be the one that asked for encryption.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

/// A mail server, and how to talk to it.
#[derive(Clone, Debug)]
pub struct SmtpServer {
    /// The name or address, an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The encryption that is demanded.
    pub encryption: SmtpEncryption,
    /// The name that EHLO gives; this machine's own without it.
    pub hello_name: Option<String>,
    /// The user and the password to log in with.
    pub credentials: Option<(String, SecretString)>,
}

/// How much encryption a mail server's URL demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// None is used.
    None,
    /// STARTTLS if the server offers it.
    Opportunistic,
    /// STARTTLS, or no mail at all.
    Required,
    /// TLS from the first byte.
    Implicit,
}

/// Why a text is not taken as the URL of a mail server. No variant holds a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpUrlInvalid {
    /// Another scheme, or none.
    #[error("must begin with smtp:// or smtps://")]
    Scheme,
    /// Not a URL.
    #[error("must be a URL; write special characters of a user or a password in percent-encoding (RFC 3986)")]
    Malformed,
    /// No host, or one that is not a name or an address.
    #[error("must name a host: a name in ASCII, an IPv4 address, or an IPv6 address in brackets")]
    Host,
    /// A port that nothing listens on.
    #[error("must not have port 0")]
    Port,
    /// A user without a password, or the other way round.
    #[error("must have both a user and a password, or neither")]
    Credentials,
    /// A path that is not a name for EHLO.
    #[error("has a path, which must be the host name to say in EHLO")]
    Path,
    /// A parameter other than `tls`, an unknown value of `tls`, or a fragment.
    #[error("knows one parameter only: tls=required or tls=opportunistic with smtp://, and tls=required with smtps://")]
    Parameter,
}

impl SmtpServer {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`SmtpUrlInvalid`], with the first part that is not taken.
    pub fn parse(text: &str) -> Result<Self, SmtpUrlInvalid> {
        let is_known = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if !is_known("smtp://") && !is_known("smtps://") {
            return Err(SmtpUrlInvalid::Scheme);
        }
        let url = Url::parse(text).map_err(|_| SmtpUrlInvalid::Malformed)?;
        if url.fragment().is_some() {
            return Err(SmtpUrlInvalid::Parameter);
        }
        let encryption = match (url.scheme(), url.query()) {
            ("smtps", None | Some("" | "tls=required")) => SmtpEncryption::Implicit,
            ("smtp", None | Some("")) => SmtpEncryption::None,
            ("smtp", Some("tls=opportunistic")) => SmtpEncryption::Opportunistic,
            ("smtp", Some("tls=required")) => SmtpEncryption::Required,
            _ => return Err(SmtpUrlInvalid::Parameter),
        };
        let default_port = match encryption {
            SmtpEncryption::None => 25,
            SmtpEncryption::Opportunistic | SmtpEncryption::Required => 587,
            SmtpEncryption::Implicit => 465,
        };
        let port = url.port().unwrap_or(default_port);
        if port == 0 {
            return Err(SmtpUrlInvalid::Port);
        }
        Ok(Self { host: host(&url)?, port, encryption, hello_name: hello_name(&url)?, credentials: credentials(&url)? })
    }

    /// Whether a password may cross a network in the clear: TLS is not demanded, and the server is not on this machine.
    #[must_use]
    pub fn exposes_password(&self) -> bool {
        let is_encrypted = matches!(self.encryption, SmtpEncryption::Required | SmtpEncryption::Implicit);
        self.credentials.is_some() && !is_encrypted && !self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return address.to_canonical().is_loopback();
        }
        let name = self.host.trim_end_matches('.').to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost")
    }
}

fn host(url: &Url) -> Result<String, SmtpUrlInvalid> {
    let host = url.host_str().unwrap_or_default();
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Ok(address.to_owned());
    }
    if is_host_name(host) { Ok(host.to_owned()) } else { Err(SmtpUrlInvalid::Host) }
}

fn hello_name(url: &Url) -> Result<Option<String>, SmtpUrlInvalid> {
    match url.path().trim_start_matches('/') {
        "" => Ok(None),
        name if is_host_name(name) => Ok(Some(name.to_owned())),
        _ => Err(SmtpUrlInvalid::Path),
    }
}

/// Service names of container networks may hold underscores.
fn is_host_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(is_plain)
}

fn credentials(url: &Url) -> Result<Option<(String, SecretString)>, SmtpUrlInvalid> {
    let decode = |text| percent_decode_str(text).decode_utf8().map_err(|_| SmtpUrlInvalid::Malformed);
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None | Some("")) => Err(SmtpUrlInvalid::Credentials),
        (user, Some(password)) => {
            Ok(Some((decode(user)?.into_owned(), SecretString::from(decode(password)?.into_owned()))))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use secrecy::ExposeSecret;

    use super::{SmtpEncryption, SmtpServer, SmtpUrlInvalid};

    fn read(url: &str) -> SmtpServer {
        SmtpServer::parse(url).unwrap()
    }

    #[test]
    fn host_port_and_encryption_are_read() {
        let read = |url| {
            let server = read(url);
            (server.host, server.port, server.encryption)
        };
        let expected = |host: &str, port, encryption| (host.to_owned(), port, encryption);
        assert_eq!(read("smtp://mail"), expected("mail", 25, SmtpEncryption::None));
        assert_eq!(read("smtp://[::1]:2525"), expected("::1", 2525, SmtpEncryption::None));
        assert_eq!(read("smtp://127.0.0.1:2525/"), expected("127.0.0.1", 2525, SmtpEncryption::None));
        assert_eq!(read("smtp://a_b.c?tls=opportunistic"), expected("a_b.c", 587, SmtpEncryption::Opportunistic));
        assert_eq!(read("smtp://mail?tls=required"), expected("mail", 587, SmtpEncryption::Required));
        assert_eq!(read("smtps://mail"), expected("mail", 465, SmtpEncryption::Implicit));
        assert_eq!(read("SMTPS://mail?tls=required"), expected("mail", 465, SmtpEncryption::Implicit));
    }

    #[test]
    fn credentials_are_decoded_and_not_shown() {
        let server = read("smtps://anna%40example.com:hunter%2F2@mail/client.example.com");
        assert!(!format!("{server:?}").contains("hunter"), "{server:?}");
        let (user, password) = server.credentials.unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("anna@example.com", "hunter/2"));
        assert_eq!(server.hello_name.as_deref(), Some("client.example.com"));
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (url, reason) in [
            ("mail:25", SmtpUrlInvalid::Scheme),
            ("http://mail", SmtpUrlInvalid::Scheme),
            ("smtp://", SmtpUrlInvalid::Host),
            ("smtp://mail:port", SmtpUrlInvalid::Malformed),
            ("smtp://mail:0", SmtpUrlInvalid::Port),
            ("smtp://b\u{fc}ro.example", SmtpUrlInvalid::Host),
            ("smtp://anna@mail", SmtpUrlInvalid::Credentials),
            ("smtp://:hunter2@mail", SmtpUrlInvalid::Credentials),
            // A password with a slash, a question mark or a number sign cuts the host off.
            ("smtp://anna:12/34@mail", SmtpUrlInvalid::Path),
            ("smtp://anna:12?34@mail", SmtpUrlInvalid::Parameter),
            ("smtp://anna:12#34@mail", SmtpUrlInvalid::Parameter),
            ("smtp://mail?TLS=required", SmtpUrlInvalid::Parameter),
            ("smtp://mail?tls=Required", SmtpUrlInvalid::Parameter),
            ("smtp://mail?tls=required&tls=opportunistic", SmtpUrlInvalid::Parameter),
            ("smtp://mail?tls=none", SmtpUrlInvalid::Parameter),
            ("smtps://mail?tls=none", SmtpUrlInvalid::Parameter),
            ("smtps://mail?tls=opportunistic", SmtpUrlInvalid::Parameter),
            ("smtps://mail?starttls=always", SmtpUrlInvalid::Parameter),
        ] {
            assert_eq!(SmtpServer::parse(url).unwrap_err(), reason, "{url}");
        }
    }

    #[test]
    fn a_password_in_the_clear_is_told_from_one_that_stays_on_the_machine() {
        for (url, exposes) in [
            ("smtp://u:p@mail.example.com:587", true),
            ("smtp://u:p@mail.example.com?tls=opportunistic", true),
            ("smtp://u:p@192.0.2.1", true),
            ("smtp://u:p@mail.example.com?tls=required", false),
            ("smtps://u:p@mail.example.com", false),
            ("smtp://mail.example.com", false),
            ("smtp://u:p@localhost", false),
            ("smtp://u:p@127.0.0.9:25", false),
            ("smtp://u:p@[::1]", false),
        ] {
            assert_eq!(read(url).exposes_password(), exposes, "{url}");
        }
    }
}
