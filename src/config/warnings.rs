//! What a configuration may say, and yet hardly should in production.

use super::{Config, MailTransport};

/// A sentence for each such thing.
pub(super) fn of(config: &Config) -> Vec<&'static str> {
    let anyone = config.server.trusted_proxies.iter().any(|network| network.prefix_len() == 0);
    let warnings = [
        (anyone, "server.trusted_proxies holds every address: any client can claim to be any other"),
        (
            true,
            "requests and failures are not limited yet: the settings of throttle, lockout and redis are not in force",
        ),
        (!config.passwords.is_strong(), "passwords costs less than OWASP's minimum: stolen hashes are cheap to try"),
        (config.mail.transport != MailTransport::Smtp, "mail.transport is not smtp: mails do not reach their readers"),
    ];
    warnings.into_iter().filter(|(applies, _)| *applies).map(|(_, sentence)| sentence).collect()
}
