//! Mail on standard error, readable, for development only: codes end up wherever the logs go.

use std::io;

use super::super::SendError;
use super::super::letter::Letter;
use crate::stderr;

/// Prints a letter in one piece, so that logs do not come between its lines. Does not wait for a reader.
pub(super) fn send(letter: &Letter) -> Result<(), SendError> {
    stderr::write(block(letter).as_bytes()).map_err(|full| SendError::Write(io::Error::other(full)))
}

/// A letter's main headers and text, in a frame.
fn block(letter: &Letter) -> String {
    let headers = ["From", "To", "Date", "Subject"].map(|name| format!("{name}: {}\n", letter.header(name))).concat();
    let inside = format!("{headers}\n{}", letter.text);
    let lines: String = inside.lines().map(|line| format!("| {line}").trim_end().to_owned() + "\n").collect();
    let rule = "-".repeat(72);
    format!("\n+-- mail {rule:.63}\n{lines}+{rule:.71}\n\n")
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::letter;
    use super::block;

    #[test]
    fn a_mail_is_printed_in_a_frame() {
        insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(block(&letter())) });
    }
}
