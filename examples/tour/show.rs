//! Messages as lines of names and values. What is secret is shortened: the protos say what that is (`debug_redact`).

use std::collections::BTreeMap;

use keyward::proto::google::rpc::Code;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, ReflectMessage, Value};
use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic_types::ErrorDetails;

/// A field.
pub(crate) struct Line {
    /// What it is called.
    pub(crate) name: String,
    /// What it says.
    pub(crate) value: String,
}

impl Line {
    fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// The fields of a message that are set. A message alone in it is shown field by field; of several, each has a line.
pub(crate) fn message(descriptor: MessageDescriptor, message: &impl prost::Message) -> Vec<Line> {
    let mut shown = DynamicMessage::new(descriptor);
    if let Err(error) = shown.transcode_from(message) {
        return vec![Line::new("cannot be shown", error.to_string())];
    }
    let set: Vec<_> = shown.fields().collect();
    match set.as_slice() {
        [(_, Value::Message(alone))] if !is_time(alone) => lines(alone),
        _ => lines(&shown),
    }
}

fn lines(message: &DynamicMessage) -> Vec<Line> {
    message.fields().flat_map(|(field, value)| lines_of(&field, value)).collect()
}

fn lines_of(field: &FieldDescriptor, value: &Value) -> Vec<Line> {
    match value {
        Value::List(items) if field.kind().as_message().is_some() => {
            items.iter().map(|item| Line::new(field.name(), text(field, item))).collect()
        }
        value => vec![Line::new(field.name(), text(field, value))],
    }
}

fn text(field: &FieldDescriptor, value: &Value) -> String {
    match value {
        Value::String(text) if is_secret(field) => shortened(text),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::I32(number) => number.to_string(),
        Value::EnumNumber(number) => enum_name(field, *number),
        Value::List(items) => items.iter().map(|item| text(field, item)).collect::<Vec<_>>().join(", "),
        Value::Message(message) if is_time(message) => time(message),
        Value::Message(message) => row(message),
        other => format!("{other:?}"),
    }
}

/// A message on one line: its values without the times, and the names of what is true.
fn row(message: &DynamicMessage) -> String {
    let values = message.fields().filter_map(|(field, value)| match value {
        Value::Message(time) if time.descriptor().name() == "Timestamp" => None,
        Value::Bool(_) => Some(field.name().to_owned()),
        value => Some(text(&field, value)),
    });
    values.collect::<Vec<_>>().join("  ")
}

fn enum_name(field: &FieldDescriptor, number: i32) -> String {
    let known = field.kind().as_enum().and_then(|kind| kind.get_value(number));
    known.map_or_else(|| number.to_string(), |value| value.name().to_owned())
}

fn is_time(message: &DynamicMessage) -> bool {
    matches!(message.descriptor().full_name(), "google.protobuf.Timestamp" | "google.protobuf.Duration")
}

/// A time or duration, as its JSON has it.
fn time(message: &DynamicMessage) -> String {
    match serde_json::to_value(message) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

fn is_secret(field: &FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

/// The beginning of a secret, and of a token also the end: most tokens begin alike.
pub(crate) fn shortened(secret: &str) -> String {
    let characters: Vec<char> = secret.chars().collect();
    let (begin, end) = if characters.len() < 40 { (characters.len() / 3, 0) } else { (8, 6) };
    let kept_end = characters.len() - end;
    characters.iter().take(begin).chain(&['…']).chain(characters.iter().skip(kept_end)).collect()
}

/// The name of a status code, such as `NOT_FOUND`.
pub(crate) fn code(status: &Status) -> &'static str {
    Code::try_from(i32::from(status.code())).map_or("?", |code| code.as_str_name())
}

/// What goes with a request: who calls, from which device.
pub(crate) fn metadata(metadata: &MetadataMap) -> String {
    let given = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok());
    let device = given("device-id").map(|id| format!("device-id: {id}"));
    let token = given("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let authorization = token.map(|token| format!("authorization: Bearer {}", shortened(token)));
    device.into_iter().chain(authorization).collect::<Vec<_>>().join("  ")
}

/// What a status says beyond its code: the text, and the details that a client goes by.
pub(crate) fn refusal(status: &Status, details: &ErrorDetails) -> Vec<Line> {
    let mut lines = vec![Line::new("message", status.message())];
    if let Some(info) = details.error_info() {
        lines.push(Line::new("reason", format!("{} ({})", info.reason, info.domain)));
        let metadata: BTreeMap<_, _> = info.metadata.iter().collect();
        lines.extend(metadata.into_iter().map(|(key, value)| Line::new(key, value)));
    }
    let violations = details.bad_request().map(|request| request.field_violations.as_slice()).unwrap_or_default();
    for violation in violations {
        lines.push(Line::new("violation", format!("{}: {}", violation.field, violation.description)));
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        lines.push(Line::new("retry after", format!("{} s", delay.as_secs())));
    }
    if let Some(request) = details.request_info() {
        lines.push(Line::new("request id", &request.request_id));
    }
    lines
}
