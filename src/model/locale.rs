//! The language that a user is written to in.
//!
//! Tags are checked for their form (BCP 47), not against the registry; which languages there are texts in is for `mail`.

use std::cmp::Reverse;

use thiserror::Error;

/// A language tag in its usual casing: `en`, `de-CH`, `zh-Hant-TW`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Locale(String);

/// A text that is not a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a locale is a language tag such as en or de-CH, of at most {} characters", Locale::MAX_CHARS)]
pub struct LocaleInvalid;

impl std::fmt::Display for Locale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Locale {
    /// The longest tag, in characters: what RFC 5646, 4.4.1 advises to have room for.
    pub const MAX_CHARS: usize = 35;

    /// Takes a tag in any casing, and gives it the usual one (RFC 5646, 2.1.1).
    ///
    /// # Errors
    /// When it is too long or does not have the form of a tag.
    pub fn parse(tag: &str) -> Result<Self, LocaleInvalid> {
        let mut subtags = tag.split('-');
        let language = subtags.next().unwrap_or_default();
        let is_language = (2..=8).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
        if tag.len() > Self::MAX_CHARS || !is_language {
            return Err(LocaleInvalid);
        }
        let mut canonical = language.to_ascii_lowercase();
        let mut extended = false;
        for subtag in subtags {
            if !(1..=8).contains(&subtag.len()) || !subtag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(LocaleInvalid);
            }
            canonical.push('-');
            canonical.push_str(&if extended { subtag.to_ascii_lowercase() } else { in_usual_case(subtag) });
            extended |= subtag.len() == 1;
        }
        // A single letter or digit announces an extension, which is then not empty.
        let ends_open = canonical.rsplit('-').next().is_some_and(|last| last.len() == 1);
        if ends_open { Err(LocaleInvalid) } else { Ok(Self(canonical)) }
    }

    /// The language that an `accept-language` header (RFC 9110, 12.5.4) prefers; of equals the first. Elements that are
    /// malformed, refused (`q=0`) or `*` do not count.
    #[must_use]
    pub fn from_accept_language(header: &str) -> Option<Self> {
        // A header of this many elements is no human's; the bound keeps a hostile one cheap.
        const MAX_ELEMENTS: usize = 32;
        let mut accepted: Vec<(u16, Self)> = header.split(',').take(MAX_ELEMENTS).filter_map(element).collect();
        accepted.sort_by_key(|(weight, _)| Reverse(*weight));
        accepted.into_iter().next().map(|(_, locale)| locale)
    }

    /// The whole tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first subtag: the language without script or region.
    #[must_use]
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0
    }
}

/// Regions (two letters) in upper case, scripts (four letters) capitalised, all else in lower case.
fn in_usual_case(subtag: &str) -> String {
    let is_alphabetic = subtag.bytes().all(|byte| byte.is_ascii_alphabetic());
    match (is_alphabetic, subtag.split_at_checked(1)) {
        (true, _) if subtag.len() == 2 => subtag.to_ascii_uppercase(),
        (true, Some((first, rest))) if subtag.len() == 4 => first.to_ascii_uppercase() + &rest.to_ascii_lowercase(),
        _ => subtag.to_ascii_lowercase(),
    }
}

/// One element of the header, `tag` or `tag;q=weight`, with its weight in thousandths. `None` for those that do not count.
fn element(text: &str) -> Option<(u16, Locale)> {
    let (tag, weight) = match text.split_once(';') {
        None => (text, 1000),
        Some((tag, parameter)) => {
            let (name, value) = parameter.split_once('=')?;
            let is_weight = name.trim().eq_ignore_ascii_case("q");
            (tag, is_weight.then(|| thousandths(value.trim()))??)
        }
    };
    let locale = Locale::parse(tag.trim()).ok()?;
    (weight > 0).then_some((weight, locale))
}

/// A `qvalue` (RFC 9110, 12.4.2): 0 to 1 with at most three decimals.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", _) => Some(decimals),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn tags_get_their_usual_case() {
        for (given, usual) in [
            ("EN", "en"),
            ("de-ch", "de-CH"),
            ("ZH-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("de-1996", "de-1996"),
            ("en-US-u-hc-H12", "en-US-u-hc-h12"),
            ("en-x-AB", "en-x-ab"),
        ] {
            let locale = Locale::parse(given).unwrap();
            assert_eq!(locale.as_str(), usual);
            assert_eq!(locale.language(), usual.split('-').next().unwrap());
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "e",
            "-",
            "en-",
            "-en",
            "en_US",
            "en--US",
            "en US",
            "12",
            "en-toolongsub",
            "dé",
            "*",
            "en-x",
            "en/../x",
        ] {
            assert_eq!(Locale::parse(text), Err(LocaleInvalid), "{text:?}");
        }
        assert_eq!(Locale::parse(&format!("en{}", "-abcdefgh".repeat(4))), Err(LocaleInvalid));
    }

    #[test]
    fn the_header_is_read_by_weight() {
        let preferred = |header| Locale::from_accept_language(header).map(String::from);
        assert_eq!(preferred("da, en-gb;q=0.8, en;q=0.7").as_deref(), Some("da"));
        assert_eq!(preferred("en;q=0.5,fr;q=0.501 , de ; Q=0.5").as_deref(), Some("fr"));
        assert_eq!(preferred("en;q=0.9,fr;q=0.9").as_deref(), Some("en"));
        assert_eq!(preferred("fr;q=0,*;q=0.5,it;q=0.001").as_deref(), Some("it"));
        assert_eq!(preferred("fr;q=1.5,es;q=0.1234,pt;level=1,nl;q=1.000").as_deref(), Some("nl"));
        for header in ["", "*", ",,", "fr;q=0", ";q=1", "\"quoted\""] {
            assert_eq!(preferred(header), None, "{header:?}");
        }
    }
}
