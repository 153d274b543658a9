//! Whether a password is one that others would guess.
//!
//! Two questions, after NIST SP 800-63B 3.1.1.2: is it a common one, and is it built from what is known of its owner? There
//! are no rules about what kinds of characters it is composed of. Length and encoding are `model::password`'s.
//!
//! The answer is pure, but not free (see `guessable`): it is asked on a hashing worker, never on an async thread.

mod folding;
mod guessable;

use thiserror::Error;

use crate::model::email::Email;
use crate::model::password::Password;

use folding::{Reading, fold};
use guessable::is_guessable;

/// Names of this service, which are among the first guesses here.
const SERVICE_WORDS: [&str; 1] = ["keyward"];

/// A word of somebody's name or address counts from this many characters on: shorter ones are in any text by chance.
const MIN_WORD_CHARS: usize = 3;

/// A part of the domain counts from this many characters on.
const MIN_DOMAIN_LABEL_CHARS: usize = 4;

/// Why a password is not accepted from this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordRejected {
    /// It is on every guesser's list, or a repetition, sequence or run of keys.
    #[error("this password is among the first that anyone would guess")]
    Common,
    /// It is the e-mail address or the name, or little more than that.
    #[error("this password is built from the e-mail address or the name")]
    BuiltFromIdentity,
}

/// Judges a password that a user wants to have.
///
/// Comparison ignores case, accents, compatibility forms of Unicode and the usual replacements of letters by digits and
/// signs (`p4$$w0rd`).
///
/// # Errors
/// When it is common, or when fewer than eight characters or a common password are left without the words of the address
/// and the name, forwards or backwards.
pub fn check(password: &Password, email: &Email, display_name: &str) -> Result<(), PasswordRejected> {
    let readings = Reading::all_of(&fold(password.expose()));
    if any_is_built_from(&readings, &identity_words(email, display_name)) {
        return Err(PasswordRejected::BuiltFromIdentity);
    }
    check_readings(&readings)
}

/// Judges a password of a user whose address and name are not known.
///
/// # Errors
/// When it is common.
pub fn check_alone(password: &Password) -> Result<(), PasswordRejected> {
    check_readings(&Reading::all_of(&fold(password.expose())))
}

fn check_readings(readings: &[(Reading, String)]) -> Result<(), PasswordRejected> {
    let common = readings.iter().any(|(_, text)| is_guessable(text));
    if common || any_is_built_from(readings, &SERVICE_WORDS.map(str::to_owned)) {
        return Err(PasswordRejected::Common);
    }
    Ok(())
}

fn any_is_built_from(readings: &[(Reading, String)], words: &[String]) -> bool {
    readings.iter().any(|(reading, text)| is_built_from(text, &prepare(words, *reading)))
}

/// Whether a text holds any of the words and is no password without them.
fn is_built_from(text: &str, words: &[String]) -> bool {
    const GAP: char = '\0';
    let rest = words.iter().fold(text.to_owned(), |rest, word| rest.replace(word, "\0"));
    if rest == text {
        return false;
    }
    let rest = rest.replace(GAP, "");
    rest.chars().count() < Password::MIN_CHARS || is_guessable(&rest)
}

/// The address, the name, and their parts, folded.
fn identity_words(email: &Email, display_name: &str) -> Vec<String> {
    let name = fold(display_name);
    let mut words = vec![
        email.as_str().to_owned(),
        email.local_part().to_owned(),
        email.domain().to_owned(),
        name.split_whitespace().collect(),
        name.clone(),
    ];
    words.extend(email.local_part().split(['.', '_', '+', '-']).map(str::to_owned));
    words.extend(
        email.domain().split(['.', '-']).filter(|label| label.len() >= MIN_DOMAIN_LABEL_CHARS).map(str::to_owned),
    );
    words.extend(name.split(|char: char| !char.is_alphanumeric()).map(str::to_owned));
    words
}

/// The words as they look in a reading, forwards and backwards, the longest first, without those that are too short.
fn prepare(words: &[String], reading: Reading) -> Vec<String> {
    let mut prepared: Vec<String> = words
        .iter()
        .filter(|word| word.chars().count() >= MIN_WORD_CHARS)
        .map(|word| reading.of(word))
        .flat_map(|word| [word.chars().rev().collect(), word])
        .collect();
    prepared.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    prepared.dedup();
    prepared
}

#[cfg(test)]
mod tests;
