//! Lines short enough to travel as they are: mail that is plain ASCII then needs no encoding (7bit, RFC 2045), and can
//! be read, code and all, with the bare eye. Nothing here knows what the lines say.

/// The columns of a line at most (RFC 5322 recommends fewer than 78).
const COLUMNS: usize = 72;

/// Breaks the lines of `text` at spaces, makes several empty lines one, and ends with a line break. A word that is longer
/// than a line stays whole. What is broken off is indented like the line that it comes from or, where that has columns
/// (two spaces between words), like the second column, so that it cannot pass for a line of its own.
///
/// Good for HTML as well, where a line break is as good as a space.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + 16);
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && blank) {
            fold_line(line, &mut folded);
        }
        blank = line.is_empty();
    }
    folded.truncate(folded.trim_end().len());
    folded.push('\n');
    folded
}

fn fold_line(line: &str, folded: &mut String) {
    let words = line.trim_start_matches(' ');
    let indent = line.len() - words.len();
    let label = words.find("  ").and_then(|gap| words.get(..gap + 2)).unwrap_or_default();
    let hang = " ".repeat(indent + label.chars().count());
    let mut column = indent;
    folded.push_str(&" ".repeat(indent));
    for (index, word) in words.split(' ').enumerate() {
        let width = word.chars().count();
        if index > 0 {
            if column + 1 + width > COLUMNS {
                folded.truncate(folded.trim_end_matches(' ').len());
                folded.push('\n');
                folded.push_str(&hang);
                column = hang.len();
            } else {
                folded.push(' ');
                column += 1;
            }
        }
        folded.push_str(word);
        column += width;
    }
    folded.push('\n');
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn lines_break_at_spaces_and_keep_their_indent() {
        let text = format!("  {}\n", "word ".repeat(40));
        let folded = fold(&text);
        assert!(folded.lines().all(|line| line.len() <= 72 && line.starts_with("  word") && line.ends_with("word")));
        assert_eq!(folded.split_whitespace().count(), 40);
    }

    #[test]
    fn a_value_stays_in_its_column() {
        let folded = fold(&format!("  Name:  {}", "word ".repeat(20)));
        assert!(folded.starts_with("  Name:  word") && folded.contains("\n         word"), "{folded}");
    }

    #[test]
    fn long_words_stay_whole() {
        let word = "x".repeat(100);
        assert_eq!(fold(&format!("a {word} b")), format!("a\n{word}\nb\n"));
    }

    #[test]
    fn columns_and_single_empty_lines_are_kept() {
        assert_eq!(fold("\n\na:   b\n\n\n\n    123456\n\n\n"), "a:   b\n\n    123456\n");
    }
}
