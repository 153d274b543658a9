//! Texts as a guesser sees them: without case, accents and disguises. For comparison only; nothing folded is ever hashed.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text without case, accents, compatibility forms (`Ａ`, `①`, `ﬁ`) and invisible characters.
pub(super) fn fold(text: &str) -> String {
    text.nfkd()
        .filter(|char| !is_combining_mark(*char) && !is_invisible(*char))
        // Through upper case, so that ß and ss, or ς and σ, become the same.
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Joiners, directional marks, soft hyphens, variation selectors and tags.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// One way to read the digits and signs that stand for letters. Most stand for one letter only, three for either of two.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// Every character is itself.
    Literal,
    /// Characters that stand for letters are those letters; the fields say which.
    Letters { one: char, bar: char, seven: char },
}

impl Reading {
    /// The different texts that a folded text can be read as, the literal one first: at most nine.
    pub(super) fn all_of(text: &str) -> Vec<(Self, String)> {
        let mut readings = vec![(Self::Literal, text.to_owned())];
        for one in ['i', 'l'] {
            for bar in ['i', 'l'] {
                for seven in ['t', 'l'] {
                    let reading = Self::Letters { one, bar, seven };
                    let read = reading.of(text);
                    if readings.iter().all(|(_, known)| *known != read) {
                        readings.push((reading, read));
                    }
                }
            }
        }
        readings
    }

    /// A folded text, read this way.
    pub(super) fn of(self, text: &str) -> String {
        match self {
            Self::Literal => text.to_owned(),
            Self::Letters { one, bar, seven } => text
                .chars()
                .map(|char| match char {
                    '4' | '@' => 'a',
                    '8' => 'b',
                    '(' | '{' | '[' | '<' => 'c',
                    '3' => 'e',
                    '6' | '9' => 'g',
                    '!' => 'i',
                    '0' => 'o',
                    '$' | '5' => 's',
                    '+' => 't',
                    '%' => 'x',
                    '2' => 'z',
                    '1' => one,
                    '|' => bar,
                    '7' => seven,
                    other => other,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_takes_off_disguises() {
        assert_eq!(fold("Ｐa\u{200b}ſsＷÖrd"), "password");
        assert_eq!(fold("STRASSE"), fold("straße"));
        assert_eq!(fold("ΣΊΣΥΦΟΣ"), fold("σίσυφος"));
        assert_eq!(fold("①②"), "12");
    }

    #[test]
    fn readings_are_all_different() {
        let texts = |text| Reading::all_of(text).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts("plain"), ["plain"]);
        assert_eq!(texts("p4$$w0rd"), ["p4$$w0rd", "password"]);
        assert_eq!(texts("1e7|"), ["1e7|", "ieti", "ieli", "ietl", "iell", "leti", "leli", "letl", "lell"]);
    }
}
