//! `keyward audit tail`: the audit trail on a terminal, the latest of it and, if asked for, each event that comes.

use std::collections::{BTreeMap, HashSet};
use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::shown::Table;
use super::{Failure, logging, print};
use crate::app::App;
use crate::clock::{self, SystemClock};
use crate::config::{Config, parse_duration};
use crate::flows::audit;
use crate::model::audit::{AuditEvent, EventFilter, EventKind};
use crate::model::device::DeviceId;

/// The most events that are printed before those to come.
const MAX_LINES: u32 = 10_000;

/// The longest time to look back: a hundred years, which calendars can write.
const MAX_SPAN: Duration = Duration::from_hours(36_500 * 24);

/// What stands above the columns.
const HEADER: [&str; 6] = ["TIME", "KIND", "BY", "ON", "FROM", "DETAILS"];

/// What to do with the audit trail.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prints the latest events, the oldest of them first.
    Tail(Tail),
}

/// Which events to print, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Tail {
    /// Goes on with every event to come, until it is stopped.
    #[arg(long, short)]
    follow: bool,
    /// One JSON object a line, for programs.
    #[arg(long)]
    json: bool,
    /// How many of the latest events to print, at most 10000.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_LINES)))]
    lines: u32,
    /// Only events that the user or service key with this identifier caused.
    #[arg(long, value_name = "ID")]
    actor: Option<Uuid>,
    /// Only events about the user, session, role or other subject with this identifier.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only events of this kind, such as LOGIN_FAILED; of several kinds when it is given several times.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<EventKind>,
    /// Only events at most this long ago, such as 90m, 12h or 30d; at most 36500d.
    #[arg(long, value_name = "DURATION", value_parser = span)]
    since: Option<Duration>,
}

pub(super) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    logging::start(&config.log)?;
    let Command::Tail(tail) = command;
    let app = App::for_command(config, Arc::new(SystemClock)).await?;
    let start = tail.since.map(|since| clock::subtract(app.clock.now(), since));
    let Tail { follow, json, lines, actor: actor_id, subject: subject_id, kind: kinds, .. } = tail;
    let filter = EventFilter { actor_id, subject_id, kinds, start, end: None };

    // First those to come, lest any come between them and the latest.
    let mut watch = audit::watch(app.clone(), EventFilter { start: None, ..filter.clone() }, None).await?;
    let mut latest = audit::list(&app, &filter, None, lines).await?;
    latest.reverse();
    let mut shown = if json { Shown::Json } else { Shown::Table(Table::new(HEADER, stdout().is_terminal())) };
    print(&shown.lines(&latest)?)?;
    if !follow {
        return Ok(());
    }
    let printed: HashSet<_> = latest.iter().map(|event| event.audit_event_id).collect();
    loop {
        audit::follow(&app).await?;
        let mut events = watch.next().await?.unwrap_or_default();
        events.retain(|event| !printed.contains(&event.audit_event_id));
        print(&shown.lines(&events)?)?;
    }
}

fn kind(name: &str) -> Result<EventKind, String> {
    EventKind::from_name(&name.to_ascii_uppercase()).ok_or_else(|| {
        let known: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("must be one of {}", known.join(", "))
    })
}

fn span(text: &str) -> Result<Duration, &'static str> {
    let possible = |span: &Duration| *span <= MAX_SPAN;
    parse_duration(text).filter(possible).ok_or("must be a duration such as 90m, 12h or 30d, and at most 36500d")
}

/// How events are printed.
enum Shown {
    Json,
    Table(Table<{ HEADER.len() }>),
}

impl Shown {
    fn lines(&mut self, events: &[AuditEvent]) -> Result<String, Failure> {
        match self {
            Self::Json => events.iter().map(|event| Ok(serde_json::to_string(&as_json(event))? + "\n")).collect(),
            Self::Table(table) => Ok(table.lines(&events.iter().map(as_row).collect::<Vec<_>>())),
        }
    }
}

fn as_row(event: &AuditEvent) -> [String; HEADER.len()] {
    let AuditEvent { created_at, by, subject, details, .. } = event;
    let actor = by.actor.id().map(|id| id.to_string());
    let address = by.ip_address.map(|address| address.to_string());
    let device_id = by.device_id.as_ref().map(|device_id| device_id.as_str().to_owned());
    let details: Vec<_> = details.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [
        time(*created_at),
        event.kind_name().to_owned(),
        words([Some(by.actor.type_name().to_lowercase()), actor]),
        words([subject.type_name().map(str::to_lowercase), subject.id()]),
        words([address, device_id]),
        details.join(" "),
    ]
}

fn words(words: [Option<String>; 2]) -> String {
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Under the names that the API has for the same.
fn as_json(event: &AuditEvent) -> serde_json::Value {
    let AuditEvent { audit_event_id, created_at, by, subject, details, .. } = event;
    serde_json::json!({
        "audit_event_id": audit_event_id,
        "create_time": time(*created_at),
        "kind": event.kind_name(),
        "actor_type": by.actor.type_name(),
        "actor_id": by.actor.id(),
        "subject_type": subject.type_name(),
        "subject_id": subject.id(),
        "ip_address": by.ip_address,
        "device_id": by.device_id.as_ref().map(DeviceId::as_str),
        "request_id": Some(&by.request_id).filter(|request_id| !request_id.is_empty()),
        "details": details.iter().cloned().collect::<BTreeMap<_, _>>(),
    })
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
