//! Durations as the configuration writes them: `250ms`, `30s`, `3m`, `1h30m`, `18d`.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

/// A number of days, for limits.
pub(super) const fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

/// Reads a duration. Months and years have no fixed length, and words are refused as well, so that `1M` is never taken
/// for a minute.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let letters = |byte: u8| byte.is_ascii_digit() || b"mshd".contains(&byte);
    if text == "0" || !text.bytes().all(letters) {
        return None;
    }
    humantime::parse_duration(text).ok()
}

/// A duration in the largest unit that divides it, as [`parse`] reads it; parts of a millisecond are dropped.
pub(super) fn shown(duration: Duration) -> String {
    const UNITS: [(u128, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];

    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    UNITS
        .iter()
        .find(|(unit, _)| millis.is_multiple_of(*unit))
        .map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

/// For `#[serde(deserialize_with)]` of a span of time.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
        .ok_or_else(|| D::Error::custom(format!("`{text}` is not a duration such as `250ms`, `30s`, `1h30m` or `18d`")))
}

/// For `#[serde(deserialize_with)]` of a span of time of something's own; none where it is empty or `-`.
pub(super) fn deserialize_own<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if matches!(text.as_str(), "" | "-") {
        return Ok(None);
    }
    let problem =
        || D::Error::custom(format!("`{text}` is neither a duration such as `30s` or `5m` nor empty nor `-`"));
    parse(&text).ok_or_else(problem).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_of_fixed_length() {
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("180s"), Some(Duration::from_mins(3)));
        assert_eq!(parse("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(parse("18d"), Some(days(18)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        for wrong in ["", "0", "30", "s", "-1s", "1.5h", "1M", "1y", "2w", "3min", "1h 30m", "99999999999999999999d"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_read() {
        for text in ["0s", "250ms", "30s", "3m", "90m", "1h", "18d"] {
            assert_eq!(parse(text).map(shown).as_deref(), Some(text));
        }
    }
}
