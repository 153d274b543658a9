//! What Prometheus reads: counters and gauges, and nothing about anybody in particular.

use std::sync::atomic::AtomicI64;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::stderr;

/// The type of what [`Metrics::render`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one replica.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    connections: Gauge<i64, AtomicI64>,
    redis_up: Gauge<i64, AtomicI64>,
    refusals: Family<Refusal, Counter>,
    mail_pending: Gauge<i64, AtomicI64>,
    mail_oldest_seconds: Gauge<i64, AtomicI64>,
    mail_deliveries: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Refusal {
    operation: &'static str,
    scope: &'static str,
    kind: &'static str,
}

/// The log lines that could not be written, which the writer of the log counts.
#[derive(Debug)]
struct LogLines;

impl Collector for LogLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let dropped = ConstCounter::new(stderr::dropped());
        let help = "Log lines that could not be written";
        dropped.encode(encoder.encode_descriptor("log_lines_dropped", help, None, dropped.metric_type())?)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("keyward");
        let (connections, redis_up, refusals) = (Gauge::default(), Gauge::default(), Family::default());
        registry.register("connections", "Open connections of clients, of all listeners", connections.clone());
        registry.register("redis_up", "1 while limits are counted in Redis, 0 while they are not", redis_up.clone());
        registry.register("limit_refusals", "Calls refused by a throttle or a lockout", refusals.clone());
        let (mail_pending, mail_oldest_seconds) = (Gauge::default(), Gauge::default());
        registry.register("mail_pending", "Mails that wait to be delivered", mail_pending.clone());
        registry.register("mail_oldest_seconds", "How long the oldest of them waits", mail_oldest_seconds.clone());
        let mail_deliveries = Family::default();
        registry.register("mail_deliveries", "Mails that came to an end, by how", mail_deliveries.clone());
        registry.register_collector(Box::new(LogLines));
        Self { registry, connections, redis_up, refusals, mail_pending, mail_oldest_seconds, mail_deliveries }
    }
}

impl Metrics {
    /// Counts a call that a limit refused: of which operation, counted by what, and whether requests (`throttle`) or failures
    /// (`lockout`) were too many.
    pub fn refused(&self, operation: &'static str, scope: &'static str, kind: &'static str) {
        self.refusals.get_or_create(&Refusal { operation, scope, kind }).inc();
    }

    /// Sets the number of open connections.
    pub fn connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Sets how many mails wait, and for how many seconds the oldest of them.
    pub fn mail_waits(&self, pending: i64, oldest_seconds: i64) {
        self.mail_pending.set(pending);
        self.mail_oldest_seconds.set(oldest_seconds);
    }

    /// Counts a mail that is done with: delivered (`ok`), refused by the server for good (`refused`), or given up (`failed`).
    pub fn mail_ended(&self, outcome: &'static str) {
        self.mail_deliveries.get_or_create(&Outcome { outcome }).inc();
    }

    /// Notes whether limits are counted in Redis.
    pub fn redis_up(&self, up: bool) {
        self.redis_up.set(i64::from(up));
    }

    /// All of them, in the text format of OpenMetrics.
    ///
    /// # Errors
    /// Never in practice: writing to a string does not fail.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::Metrics;

    #[test]
    fn they_render_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        metrics.redis_up(true);
        metrics.connections(7);
        metrics.refused("login", "device", "throttle");
        metrics.refused("login", "device", "throttle");
        metrics.mail_waits(3, 12);
        metrics.mail_ended("ok");
        let text = metrics.render().unwrap();
        assert!(
            text.contains("keyward_mail_pending 3\n") && text.contains("keyward_mail_oldest_seconds 12\n"),
            "{text}"
        );
        assert!(text.contains("keyward_mail_deliveries_total{outcome=\"ok\"} 1\n"), "{text}");
        assert!(text.contains("keyward_redis_up 1\n"), "{text}");
        assert!(text.contains("keyward_connections 7\n"), "{text}");
        let refusals = r#"keyward_limit_refusals_total{operation="login",scope="device",kind="throttle"} 2"#;
        assert!(text.contains(refusals), "{text}");
        assert!(text.contains("keyward_log_lines_dropped_total 0\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
