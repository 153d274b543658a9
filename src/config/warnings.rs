//! What a configuration may say, and yet hardly should in production.

use super::{Config, MailTransport, ThrottleStore};

/// A sentence for each such thing.
pub(super) fn of(config: &Config) -> Vec<&'static str> {
    let anyone = config.server.trusted_proxies.iter().any(|network| network.prefix_len() == 0);
    let limits = config.throttle.enabled || config.lockout.enabled;
    let exposes_password = config.mail.transport == MailTransport::Smtp
        && matches!(config.mail.smtp_server(), Ok(Some(server)) if server.exposes_password());
    let warnings = [
        (anyone, "server.trusted_proxies holds every address: any client can claim to be any other"),
        (!config.throttle.enabled, "throttle.enabled is false: requests are not limited"),
        (!config.lockout.enabled, "lockout.enabled is false: passwords and codes may be guessed at without end"),
        (
            limits && (config.redis.url.is_none() || config.throttle.store == ThrottleStore::Memory),
            "limits are kept in memory, which is right for one replica only",
        ),
        (!config.passwords.is_strong(), "passwords costs less than OWASP's minimum: stolen hashes are cheap to try"),
        (config.mail.transport != MailTransport::Smtp, "mail.transport is not smtp: mails do not reach their readers"),
        (
            exposes_password,
            "mail.smtp_url holds a password and does not demand TLS: use smtps:// or tls=required, or anyone on the way reads it",
        ),
    ];
    warnings.into_iter().filter(|(applies, _)| *applies).map(|(_, sentence)| sentence).collect()
}
