//! Dotted keys (`tokens.access_ttl`) in a TOML table.
//!
//! Nothing here knows what a key means.

use toml::{Table, Value};

/// The value at `key`; a section is a value, too.
pub(super) fn find<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => find(table.get(section)?.as_table()?, rest),
    }
}

/// Puts `value` in place of the one at `key`, which it returns. A key that is not there yet is left out.
pub(super) fn replace(table: &mut Table, key: &str, value: Value) -> Option<Value> {
    match key.split_once('.') {
        None => table.get_mut(key).map(|old| std::mem::replace(old, value)),
        Some((section, rest)) => replace(table.get_mut(section)?.as_table_mut()?, rest, value),
    }
}

/// Every key with its value, sections taken apart, in the order of the table.
pub(super) fn leaves(table: &Table) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                let below = leaves(section).into_iter();
                found.extend(below.map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            leaf => found.push((name.clone(), leaf)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn values_are_found_replaced_and_listed_by_dotted_keys() {
        let mut table: Table = "a = 1\n[b.c]\nd = true".parse().unwrap();
        assert_eq!(find(&table, "b.c.d"), Some(&Value::Boolean(true)));
        assert_eq!(find(&table, "b.c.e"), None);
        assert_eq!(find(&table, "a.d"), None);

        let old = replace(&mut table, "b.c.d", Value::Boolean(false));
        assert_eq!(old, Some(Value::Boolean(true)));
        assert_eq!(replace(&mut table, "b.x", Value::Integer(1)), None);

        let keys: Vec<String> = leaves(&table).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a", "b.c.d"]);
    }
}
