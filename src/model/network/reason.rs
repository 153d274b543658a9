//! Why a network rule was made, in its maker's words.

use thiserror::Error;

use crate::model::display_name::disturbs_text;

/// A remark for other operators: one line, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleReason(String);

/// Why a text is not taken as a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RuleReasonInvalid {
    /// More than [`RuleReason::MAX_CHARS`].
    #[error("must have at most {} characters", RuleReason::MAX_CHARS)]
    TooLong,
    /// Holds a line break, another control character, or one that turns the direction of the text around it.
    #[error("must hold no line breaks, control characters or characters that override the direction of text")]
    ControlCharacter,
}

impl RuleReason {
    /// The longest reason, in Unicode characters.
    pub const MAX_CHARS: usize = 500;

    /// Takes a reason as it was typed, without the spaces around it.
    ///
    /// # Errors
    /// When it is too long, or would disturb the list that it is shown in.
    pub fn parse(text: &str) -> Result<Self, RuleReasonInvalid> {
        let text = text.trim();
        if text.chars().any(disturbs_text) {
            return Err(RuleReasonInvalid::ControlCharacter);
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(RuleReasonInvalid::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text; empty when no reason was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{RuleReason, RuleReasonInvalid};

    #[test]
    fn a_reason_is_one_line_at_most() {
        assert_eq!(
            RuleReason::parse("  credential stuffing, ticket 7 ").unwrap().as_str(),
            "credential stuffing, ticket 7"
        );
        assert_eq!(RuleReason::parse("").unwrap(), RuleReason::default());
        RuleReason::parse(&"ß".repeat(500)).unwrap();
        assert_eq!(RuleReason::parse(&"ß".repeat(501)), Err(RuleReasonInvalid::TooLong));
        for text in ["a\nb", "a\u{1b}[2Jb", "a\u{202e}b"] {
            assert_eq!(RuleReason::parse(text), Err(RuleReasonInvalid::ControlCharacter), "{text:?}");
        }
    }
}
