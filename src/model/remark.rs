//! What operators note for one another: why a network rule was made, what a role is for.

use thiserror::Error;

use super::display_name::disturbs_text;

/// A remark for other operators: one line, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remark(String);

/// Why a text is not taken as a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RemarkInvalid {
    /// More than [`Remark::MAX_CHARS`].
    #[error("must have at most {} characters", Remark::MAX_CHARS)]
    TooLong,
    /// Holds a line break, another control character, or one that turns the direction of the text around it.
    #[error("must hold no line breaks, control characters or characters that override the direction of text")]
    ControlCharacter,
}

impl Remark {
    /// The longest remark, in Unicode characters.
    pub const MAX_CHARS: usize = 500;

    /// Takes a remark as it was typed, without the spaces around it.
    ///
    /// # Errors
    /// When it is too long, or would disturb what it is shown in.
    pub fn parse(text: &str) -> Result<Self, RemarkInvalid> {
        let text = text.trim();
        if text.chars().any(disturbs_text) {
            return Err(RemarkInvalid::ControlCharacter);
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(RemarkInvalid::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text; empty when there is nothing to remark.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Remark, RemarkInvalid};

    #[test]
    fn a_remark_is_one_line_at_most() {
        assert_eq!(
            Remark::parse("  credential stuffing, ticket 7 ").unwrap().as_str(),
            "credential stuffing, ticket 7"
        );
        assert_eq!(Remark::parse("").unwrap(), Remark::default());
        Remark::parse(&"ß".repeat(500)).unwrap();
        assert_eq!(Remark::parse(&"ß".repeat(501)), Err(RemarkInvalid::TooLong));
        for text in ["a\nb", "a\u{1b}[2Jb", "a\u{202e}b"] {
            assert_eq!(Remark::parse(text), Err(RemarkInvalid::ControlCharacter), "{text:?}");
        }
    }
}
