//! What a configuration may say, and yet hardly should in production.

use super::{Config, MailTransport, ThrottleStore};

/// A sentence for each such thing.
pub(super) fn of(config: &Config) -> Vec<&'static str> {
    let alone = config.throttle.store == ThrottleStore::Auto && config.redis.url.is_none();
    let anyone = config.server.trusted_proxies.iter().any(|network| network.prefix_len() == 0);
    let warnings = [
        (alone, "redis.url is not set: limits are kept in this process's memory, for one replica only"),
        (anyone, "server.trusted_proxies holds every address: any client can claim to be any other"),
        (!config.throttle.enabled, "throttle.enabled is false: requests are not limited"),
        (!config.lockout.enabled, "lockout.enabled is false: failures are not limited"),
        (!config.passwords.is_strong(), "passwords costs less than OWASP's minimum: stolen hashes are cheap to try"),
        (config.mail.transport != MailTransport::Smtp, "mail.transport is not smtp: mails do not reach their readers"),
    ];
    warnings.into_iter().filter(|(applies, _)| *applies).map(|(_, sentence)| sentence).collect()
}
