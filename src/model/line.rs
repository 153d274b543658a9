//! One line of text that operators write for one another: what a service key is called, why a network rule was made.

use thiserror::Error;

use super::display_name::disturbs_text;

/// One line of `MIN` to `MAX` Unicode characters, without spaces around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<const MIN: usize, const MAX: usize>(String);

/// A remark for other operators, or nothing.
pub type Remark = Line<0, 500>;

/// Why a text is not taken as such a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LineInvalid {
    /// Too few or too many characters.
    #[error("must have {min} to {max} characters")]
    Length {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Holds a line break, another control character, or one that turns the direction of the text around it.
    #[error("must hold no line breaks, control characters or characters that override the direction of text")]
    ControlCharacter,
}

impl<const MIN: usize, const MAX: usize> Line<MIN, MAX> {
    /// Takes a line as it was typed, without the spaces around it.
    ///
    /// # Errors
    /// When it is too short or too long, or would disturb what it is shown in.
    pub fn parse(text: &str) -> Result<Self, LineInvalid> {
        let text = text.trim();
        if text.chars().any(disturbs_text) {
            return Err(LineInvalid::ControlCharacter);
        }
        if !(MIN..=MAX).contains(&text.chars().count()) {
            return Err(LineInvalid::Length { min: MIN, max: MAX });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Default for Line<0, MAX> {
    fn default() -> Self {
        Self(String::new())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Line, LineInvalid, Remark};

    #[test]
    fn a_line_has_its_length_without_the_spaces_around_it() {
        assert_eq!(
            Remark::parse("  credential stuffing, ticket 7 ").unwrap().as_str(),
            "credential stuffing, ticket 7"
        );
        assert_eq!(Remark::parse(" ").unwrap(), Remark::default());
        Line::<1, 100>::parse(&"ß".repeat(100)).unwrap();
        for text in ["", "  ", &"ß".repeat(101)] {
            assert_eq!(Line::<1, 100>::parse(text), Err(LineInvalid::Length { min: 1, max: 100 }), "{text:?}");
        }
    }

    #[test]
    fn nothing_that_disturbs_what_it_is_shown_in() {
        for text in ["a\nb", "a\u{1b}[2Jb", "a\u{202e}b"] {
            assert_eq!(Remark::parse(text), Err(LineInvalid::ControlCharacter), "{text:?}");
        }
    }
}
