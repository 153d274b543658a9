//! The lines of a file, however long the file is and whatever is in it.

use std::io::{self, BufRead, Read};

use crate::flows::transfer::import::{Line, Refused};

/// The longest line, in bytes. A user takes some hundred.
const MAX_BYTES: u64 = 64 * 1024;

/// A line longer than that.
struct TooLong;

/// Reads lines and counts them.
pub(super) struct Lines<R> {
    reader: R,
    /// What is read, for what is to be said of it.
    name: String,
    /// How many lines were read.
    pub(super) count: u64,
    /// How many bytes were read.
    pub(super) bytes: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, name: String) -> Self {
        Self { reader, name, count: 0, bytes: 0 }
    }

    /// Up to `count` lines, and those among them that cannot be looked at; empty ones are passed over. `None` at the end.
    pub(super) fn take(&mut self, count: u64) -> io::Result<Option<(Vec<Line>, Vec<Refused>)>> {
        let (mut lines, mut refused) = (Vec::new(), Vec::new());
        let start = self.count;
        while self.count - start < count {
            let Some(bytes) = self.line()? else { break };
            let number = self.count;
            match bytes.map(String::from_utf8) {
                Ok(Ok(text)) if text.trim().is_empty() => {}
                Ok(Ok(text)) => lines.push(Line { number, text: text.trim_start_matches('\u{feff}').to_owned() }),
                Ok(Err(_)) => refused.push(Refused { number, reason: "is not UTF-8".to_owned() }),
                Err(TooLong) => refused.push(Refused { number, reason: format!("is longer than {MAX_BYTES} bytes") }),
            }
        }
        Ok((self.count > start).then_some((lines, refused)))
    }

    /// The next line; `None` at the end.
    fn line(&mut self) -> io::Result<Option<Result<Vec<u8>, TooLong>>> {
        let mut bytes = Vec::new();
        let mut read = self.part(&mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.count += 1;
        let fits = bytes.ends_with(b"\n") || read < MAX_BYTES;
        while read == MAX_BYTES && !bytes.ends_with(b"\n") {
            bytes.clear();
            read = self.part(&mut bytes)?;
        }
        Ok(Some(fits.then_some(bytes).ok_or(TooLong)))
    }

    fn part(&mut self, bytes: &mut Vec<u8>) -> io::Result<u64> {
        let read = (&mut self.reader).take(MAX_BYTES).read_until(b'\n', bytes);
        let read = read.map_err(|error| io::Error::new(error.kind(), format!("cannot read {}: {error}", self.name)))?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        self.bytes += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::Lines;

    #[test]
    fn lines_are_counted_whatever_they_are() {
        let long = "x".repeat(64 * 1024 * 2 + 5);
        let fitting = "y".repeat(64 * 1024 - 1);
        let mut file = format!("\u{feff}one\n\n{long}\nfour\r\n{fitting}\n").into_bytes();
        file.extend(b"\xff\xfe\nseven");
        let mut lines = Lines::new(file.as_slice(), String::new());
        let (read, refused) = lines.take(4).unwrap().unwrap();
        let numbers: Vec<_> = read.iter().map(|line| (line.number, line.text.trim())).collect();
        assert_eq!(numbers, [(1, "one"), (4, "four")]);
        assert_eq!(refused.iter().map(|line| line.number).collect::<Vec<_>>(), [3]);
        let (read, refused) = lines.take(100).unwrap().unwrap();
        let numbers: Vec<_> = read.iter().map(|line| (line.number, line.text.trim())).collect();
        assert_eq!(numbers, [(5, fitting.as_str()), (7, "seven")]);
        assert_eq!(refused.iter().map(|line| line.number).collect::<Vec<_>>(), [6]);
        assert!(lines.take(100).unwrap().is_none());
        assert_eq!((lines.count, lines.bytes), (7, u64::try_from(file.len()).unwrap()));
    }
}
