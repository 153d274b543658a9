//! Whether a text would fall to the first guesses: zxcvbn's ranked dictionaries and patterns, asked within bounds.
//!
//! zxcvbn tries every substring of a text under every combination of letters that its digits and signs may stand for; left
//! to itself, a hundred well-chosen characters take it seconds. So it is only asked about texts no longer than
//! [`MAX_CHARS`], no word that it knows being longer than 23, and only literally when the combinations are few; `folding`
//! has read the signs as letters before, each reading being a text of its own.

use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::zxcvbn;

use crate::model::password::Password;

/// The longest text that is looked into: all rows of a keyboard, one after the other.
const MAX_CHARS: usize = 40;

/// The most combinations of readings that zxcvbn may try for one text.
const MAX_COMBINATIONS: usize = 16;

/// The guesses it takes to go through the longest dictionary (30,000 words), forwards and backwards. What takes no more is as
/// good as listed, even when its cheapest explanation is another one.
const LISTED_GUESSES: u64 = 60_001;

/// The letters that zxcvbn knows replacements of, by the replacements.
const REPLACEMENTS: [&[char]; 12] = [
    &['4', '@'],
    &['8'],
    &['(', '{', '[', '<'],
    &['3'],
    &['6', '9'],
    &['1', '!', '|'],
    &['1', '|', '7'],
    &['0'],
    &['$', '5'],
    &['+', '7'],
    &['%'],
    &['2'],
];

/// Whether a folded text is a dictionary word, a run of keys, a sequence, a date, a repetition of something short or
/// guessable, or anything else that is found within as many guesses as a dictionary has words.
pub(super) fn is_guessable(text: &str) -> bool {
    let text = repeated_unit(text);
    let chars = text.chars().count();
    if chars < Password::MIN_CHARS {
        return true;
    }
    if chars > MAX_CHARS || combinations(text) > MAX_COMBINATIONS {
        return false;
    }
    let estimate = zxcvbn(text, &[]);
    let is_one_pattern = matches!(estimate.sequence(), [only] if only.pattern != MatchPattern::BruteForce);
    is_one_pattern || estimate.guesses() <= LISTED_GUESSES
}

/// What a text repeats at least twice from its beginning to its end, the last time perhaps not to the end; else the text.
fn repeated_unit(text: &str) -> &str {
    let half = text.chars().count() / 2;
    text.char_indices()
        .skip(1)
        .take(half)
        .filter_map(|(at, _)| text.split_at_checked(at))
        .find(|(_, rest)| text.starts_with(rest))
        .map_or(text, |(unit, _)| unit)
}

/// How many ways zxcvbn finds to replace signs by letters in a text; up to eight times as many when signs are ambiguous.
fn combinations(text: &str) -> usize {
    REPLACEMENTS.iter().map(|signs| signs.iter().filter(|sign| text.contains(**sign)).count().max(1)).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_come_down_to_their_unit() {
        for (text, unit) in [
            ("aaaaaaaa", "a"),
            ("abcabcab", "abc"),
            ("abcdabcd", "abcd"),
            ("abcdeabc", "abcdeabc"),
            ("üßüßü", "üß"),
            ("abcdefgh", "abcdefgh"),
            ("a", "a"),
            ("", ""),
        ] {
            assert_eq!(repeated_unit(text), unit);
        }
    }

    #[test]
    fn what_everyone_tries_first_is_guessable() {
        for text in [
            "password",
            "drowssap",
            "qwertyuiop",
            "1qaz2wsx",
            "12345678",
            "87654321",
            "abcdefgh",
            "abcdefghijklmnopqrstuvwxyz",
            "iloveyou1",
            "encyclopedia",
            "password1",
            "11111111",
            "passwordpassword",
            "zxcvbnm,./",
            "!@#$%^&*()",
            "27101979",
            "q1w2e3r4t5y6u7i8o9p0",
            "verwaltungsgemeinschaft",
        ] {
            assert!(is_guessable(text), "{text:?}");
        }
    }

    #[test]
    fn what_has_something_of_its_own_is_not() {
        for text in [
            "correct-horse",
            "correct horse battery staple",
            "xk7#mq2v",
            "jvnqzkfw",
            "blue.kettle.9",
            "tr0ub4dor&3",
            "夜明け前の猫が鳴いた",
            "correct-horse-battery-staple-correct-horse-battery-staple",
        ] {
            assert!(!is_guessable(text), "{text:?}");
        }
    }

    #[test]
    fn combinations_are_those_of_the_signs_present() {
        assert_eq!(combinations("password"), 1);
        assert_eq!(combinations("p4ssw0rd"), 1);
        assert_eq!(combinations("p4@$$5"), 4);
        assert_eq!(combinations("4@({[<691!|7$5+"), 2 * 4 * 2 * 3 * 3 * 2 * 2);
    }
}
