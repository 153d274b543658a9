//! Text that a user or a client chose, made fit to be shown in a mail from us: one short line that no reader takes for
//! our own words, and no mail program for a link. Escaping for HTML is the templates' part.

/// The characters of a display name in a greeting.
pub(super) const NAME: usize = 40;
/// The characters of a device's name.
pub(super) const DEVICE: usize = 64;
/// The characters of a user agent.
pub(super) const USER_AGENT: usize = 160;

/// `text` as one line of at most `limit` characters, three dots in place of the rest; `None` when nothing is left.
///
/// Control characters, line breaks and the invisible characters that turn or hide text go. What makes mail programs see
/// a link goes, too: `//`, `@`, and a full stop within a word (`evil.example`), but not one in a version (`17.2`).
pub(super) fn harmless(text: &str, limit: usize) -> Option<String> {
    let mut line = String::new();
    let mut characters = text.chars().filter(|c| !is_invisible(*c)).map(plain).peekable();
    while let Some(character) = characters.next() {
        let linking = match character {
            '@' => true,
            '/' => characters.peek() == Some(&'/'),
            '.' => characters.peek().is_some_and(|next| next.is_alphabetic()),
            _ => false,
        };
        let character = if linking { ' ' } else { character };
        if character != ' ' || !(line.is_empty() || line.ends_with(' ')) {
            line.push(character);
        }
    }
    let line = line.trim_end();
    if line.chars().count() > limit {
        let kept: String = line.chars().take(limit.saturating_sub(3)).collect();
        return Some(format!("{}...", kept.trim_end()));
    }
    (!line.is_empty()).then(|| line.to_owned())
}

/// All white space and control is a space; all that browsers take for a dot in a host name is a full stop.
fn plain(character: char) -> char {
    match character {
        '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => '.',
        '\u{ff0f}' => '/',
        '\u{ff20}' => '@',
        c if c.is_whitespace() || c.is_control() => ' ',
        c => c,
    }
}

/// Characters of Unicode's category Cf and their like: joiners, marks of direction, tags, fillers.
const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::harmless;

    fn shown(text: &str) -> Option<String> {
        harmless(text, 40)
    }

    #[test]
    fn ordinary_names_are_left_alone() {
        for name in ["Anna's iPhone", "Dr. Zoë O'Hara-Müller", "山田 太郎", "Firefox 141.0 on Windows 11", "a/b"]
        {
            assert_eq!(shown(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(shown(" a\r\nBcc: x\tb\u{2028}c\u{0}\u{1b}[1m ").as_deref(), Some("a Bcc: x b c [1m"));
        assert_eq!(shown("\r\n\u{200b}\u{202e} "), None);
        assert_eq!(shown("gnp\u{202e}exe").as_deref(), Some("gnpexe"));
    }

    #[test]
    fn nothing_is_left_that_links() {
        assert_eq!(shown("go to http://evil.example/x").as_deref(), Some("go to http: /evil example/x"));
        assert_eq!(shown("www\u{ff0e}evil\u{3002}рф me@evil.example").as_deref(), Some("www evil рф me evil example"));
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(harmless(&"ä".repeat(50), 40), Some(format!("{}...", "ä".repeat(37))));
    }
}
