//! The languages that mails are written in, and their templates, which are part of the program.
//!
//! A language is a folder in `templates/` and a line in [`LANGUAGES`]. It has, for every kind of mail, a folder with
//! `subject.txt`, `body.txt` and `body.html`, and what these share: `frame.txt`, `frame.html` and `phrases.txt`.

/// A template's name and text.
pub(super) type Source = (&'static str, &'static str);

/// A language, and the templates that speak it.
pub(super) struct Language {
    /// Its tag (BCP 47), which is the name of its folder.
    pub(super) tag: &'static str,
    /// Its templates.
    pub(super) sources: &'static [Source],
}

macro_rules! sources {
    ($($path:expr),+ $(,)?) => { &[$(($path, include_str!(concat!("templates/", $path)))),+] };
}

macro_rules! language {
    ($tag:literal) => { language!($tag: "verification_code", "account_exists", "welcome", "reset_code",
        "invitation", "password_changed", "new_device", "session_ended", "account_locked",
        "reset_codes_guessed") };
    ($tag:literal: $($mail:literal),+) => { Language {
        tag: $tag,
        sources: sources![
            concat!($tag, "/frame.txt"), concat!($tag, "/frame.html"), concat!($tag, "/phrases.txt"),
            $(
                concat!($tag, "/", $mail, "/subject.txt"),
                concat!($tag, "/", $mail, "/body.txt"),
                concat!($tag, "/", $mail, "/body.html"),
            )+
        ],
    } };
}

/// All languages.
pub(super) const LANGUAGES: &[Language] = &[language!("en")];

/// The language of those who have no other.
pub(super) const FALLBACK: &str = "en";

/// What no language owns: the look.
pub(super) const SHARED: &[Source] = sources!["frame.txt", "frame.html", "parts.html"];

/// The tag of the language that serves `locale` best: what is left of it when subtags are taken off its end until there
/// is such a language (RFC 4647, lookup), or the fallback.
pub(super) fn lookup(locale: Option<&str>) -> &'static str {
    let mut range = locale.unwrap_or_default();
    loop {
        if let Some(language) = LANGUAGES.iter().find(|language| language.tag.eq_ignore_ascii_case(range)) {
            return language.tag;
        }
        match range.rsplit_once('-') {
            Some((shorter, _)) => range = shorter,
            None => return FALLBACK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lookup;

    #[test]
    fn the_closest_language_wins_and_english_is_the_last_resort() {
        for locale in [Some("en"), Some("EN-gb"), Some("en-Latn-GB-oed"), Some("tlh-US"), Some("-"), Some(""), None] {
            assert_eq!(lookup(locale), "en");
        }
    }
}
