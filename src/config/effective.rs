//! The configuration in effect as TOML, for `keyward check-config`: secrets masked, and what is not a default with its origin.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::{Table, Value};

use super::error::Origin;
use super::{secret, tree};

/// What stands for a secret that is set.
const MASK: &str = "\"********\"";

/// Writes `values` as TOML.
pub(super) fn render(values: &Table, origins: &BTreeMap<String, Origin>) -> String {
    let mut leaves: Vec<(String, &Value)> = tree::leaves(values);
    leaves.sort_by(|(left, _), (right, _)| split(left).cmp(&split(right)));

    let mut text = String::new();
    let mut section = "";
    for (key, value) in &leaves {
        let (prefix, name) = split(key);
        if prefix != section {
            section = prefix;
            let _infallible = writeln!(text, "\n[{section}]");
        }
        let masked = secret::is_secret(key) && value.as_str() != Some("");
        let value = if masked { MASK.to_owned() } else { value.to_string() };
        let origin = origins.get(key).map(|origin| format!("  # from {origin}")).unwrap_or_default();
        let _infallible = writeln!(text, "{name} = {value}{origin}");
    }
    text
}

/// The section of a key and its name in there; keys without a section come first, as TOML wants them.
fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}
