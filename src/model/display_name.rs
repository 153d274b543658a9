//! The name that a user is shown by, and what may stand in a text that other people get to see.

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// A name for people to read: one line, normalised (NFC), without spaces around it. It identifies nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

/// Why a text is not taken as a display name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DisplayNameInvalid {
    /// Nothing but spaces.
    #[error("a display name is not empty")]
    Empty,
    /// More than [`DisplayName::MAX_CHARS`].
    #[error("a display name has at most {} characters", DisplayName::MAX_CHARS)]
    TooLong,
    /// Holds a line break, another control character, or one that turns the direction of the text around it.
    #[error("a display name holds no control characters and none that override the direction of text")]
    ControlCharacter,
}

impl DisplayName {
    /// The longest name, in Unicode characters.
    pub const MAX_CHARS: usize = 100;

    /// Takes a name as a person typed it, without the spaces around it.
    ///
    /// # Errors
    /// When nothing is left, when it is too long, or when it holds characters that would disturb the text around it.
    pub fn parse(text: &str) -> Result<Self, DisplayNameInvalid> {
        let text = text.trim();
        if text.chars().any(disturbs_text) {
            return Err(DisplayNameInvalid::ControlCharacter);
        }
        // One character more than allowed is enough to know.
        let name: String = text.nfc().take(Self::MAX_CHARS + 1).collect();
        match name.chars().count() {
            0 => Err(DisplayNameInvalid::Empty),
            1..=Self::MAX_CHARS => Ok(Self(name)),
            _ => Err(DisplayNameInvalid::TooLong),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DisplayName {
    /// The name in the form that searches compare.
    #[must_use]
    pub fn folded(&self) -> String {
        super::user_list::fold(&self.0)
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

/// Whether a character would break the line that it is shown in, or turn its neighbours around: controls, line and
/// paragraph separators, and the explicit directional characters of UAX #9.
pub(super) fn disturbs_text(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_are_trimmed_and_normalised() {
        assert_eq!(DisplayName::parse("  Zoe\u{308} Ågren\t").unwrap().as_str(), "Zoë Ågren");
        assert_eq!(DisplayName::parse("محمد").unwrap().as_str(), "محمد");
    }

    #[test]
    fn lengths_are_bounded() {
        DisplayName::parse(&"ß".repeat(100)).unwrap();
        assert_eq!(DisplayName::parse(&"ß".repeat(101)), Err(DisplayNameInvalid::TooLong));
        assert_eq!(DisplayName::parse(" \u{a0} "), Err(DisplayNameInvalid::Empty));
        assert_eq!(DisplayName::parse(""), Err(DisplayNameInvalid::Empty));
    }

    #[test]
    fn nothing_that_disturbs_the_text_around_it() {
        for text in ["a\nb", "a\r\nSubject: b", "a\u{0}b", "a\u{202e}b", "a\u{2067}b", "a\u{2028}b", "a\u{9b}b"] {
            assert_eq!(DisplayName::parse(text), Err(DisplayNameInvalid::ControlCharacter), "{text:?}");
        }
    }
}
