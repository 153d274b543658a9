//! Standard error of a service: written to by a thread of its own, so that no call, probe or job waits for whoever reads it.
//!
//! What cannot be written is dropped and counted: when the buffer is full, because nobody reads, and when a write fails, because
//! the disk is full or the reader has gone. tracing-appender's writer does not fit: it neither counts failed writes nor says in the
//! log what is missing, and its end prints to standard output, which may be stuck as well.
//!
//! There is one standard error in a process, so there is one writer. Commands other than `serve` write directly and wait.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many bytes wait to be written at most.
const MAX_BYTES: usize = 256 * 1024;

/// How long to wait before a descriptor that does not block is written to again.
const RETRY: Duration = Duration::from_millis(10);

/// The writer of this process.
static WRITER: Writer = Writer {
    buffer: Mutex::new(Buffer { texts: VecDeque::new(), bytes: 0, is_writing: false }),
    filled: Condvar::new(),
    emptied: Condvar::new(),
    dropped: AtomicU64::new(0),
    is_running: AtomicBool::new(false),
};

struct Writer {
    buffer: Mutex<Buffer>,
    filled: Condvar,
    emptied: Condvar,
    dropped: AtomicU64,
    is_running: AtomicBool,
}

struct Buffer {
    texts: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Whether a text has been taken out and is being written.
    is_writing: bool,
}

/// Why a text was not taken: the buffer is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("standard error is not read, and the buffer for it is full")]
pub struct BufferFull;

/// Starts the thread that writes. `tell` is called, on that thread, with the number of texts that were dropped, once texts can be
/// written again.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(tell: impl Fn(u64) + Send + 'static) -> io::Result<()> {
    if WRITER.is_running.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    std::thread::Builder::new().name("stderr".to_owned()).spawn(move || WRITER.run(io::stderr(), &tell))?;
    Ok(())
}

/// Hands over a text, in one piece and without waiting. Before [`start`] it is written directly.
///
/// # Errors
/// [`BufferFull`] when it was dropped instead.
pub fn write(text: &[u8]) -> Result<(), BufferFull> {
    if WRITER.is_running.load(Ordering::Acquire) {
        return WRITER.push(text);
    }
    io::stderr().lock().write_all(text).map_err(|_failed| BufferFull)
}

/// How many texts were dropped so far.
pub fn dropped() -> u64 {
    WRITER.dropped.load(Ordering::Relaxed)
}

/// Waits until everything is written, for at most `limit`.
pub fn flush(limit: Duration) {
    if WRITER.is_running.load(Ordering::Acquire) {
        WRITER.flush(limit);
    }
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: &[u8]) -> Result<(), BufferFull> {
        let mut buffer = self.lock();
        // A text that is larger than the buffer is taken when nothing else waits.
        if buffer.bytes > 0 && buffer.bytes.saturating_add(text.len()) > MAX_BYTES {
            drop(buffer);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Err(BufferFull);
        }
        buffer.bytes = buffer.bytes.saturating_add(text.len());
        buffer.texts.push_back(text.to_vec());
        drop(buffer);
        self.filled.notify_one();
        Ok(())
    }

    /// Writes texts for ever, one after the other.
    fn run(&self, mut out: impl Write, tell: &impl Fn(u64)) {
        let mut told = 0;
        let mut is_whole = true;
        loop {
            let text = self.next();
            let written = if is_whole { Ok(()) } else { write_all(&mut out, b"\n") };
            let written = written.and_then(|()| write_all(&mut out, &text));
            is_whole = written.is_ok();
            if written.is_err() {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            let is_idle = self.make_room(text.len());
            let dropped = self.dropped.load(Ordering::Relaxed);
            // What is told now has room in the buffer.
            if is_whole && is_idle && dropped > told {
                tell(dropped - told);
                told = dropped;
            }
            self.rest();
        }
    }

    /// Waits for the next text.
    fn next(&self) -> Vec<u8> {
        let mut buffer = self.lock();
        loop {
            if let Some(text) = buffer.texts.pop_front() {
                buffer.is_writing = true;
                return text;
            }
            buffer = self.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the room of a text of this length free; returns whether no other text waits.
    fn make_room(&self, length: usize) -> bool {
        let mut buffer = self.lock();
        buffer.bytes = buffer.bytes.saturating_sub(length);
        buffer.texts.is_empty()
    }

    /// Tells those who wait for the end of the buffer, if this is it.
    fn rest(&self) {
        let mut buffer = self.lock();
        buffer.is_writing = false;
        if buffer.texts.is_empty() {
            self.emptied.notify_all();
        }
    }

    fn flush(&self, limit: Duration) {
        let is_busy = |buffer: &mut Buffer| buffer.is_writing || !buffer.texts.is_empty();
        let waited = self.emptied.wait_timeout_while(self.lock(), limit, is_busy);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// As `Write::write_all`, and waits where the descriptor is one that does not block.
fn write_all(out: &mut impl Write, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match out.write(text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => text = text.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::park_timeout(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::{self, ErrorKind, Write};
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    use super::{Buffer, BufferFull, MAX_BYTES, Writer};

    /// A reader that takes a text when it is told how: whether the write succeeds.
    struct Pipe {
        turns: Receiver<bool>,
        texts: Sender<Vec<u8>>,
    }

    impl Write for Pipe {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            if self.turns.recv().unwrap_or(true) {
                let _gone = self.texts.send(text.to_vec());
                Ok(text.len())
            } else {
                Err(ErrorKind::StorageFull.into())
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A writer that runs, and what the test has of it.
    struct Running {
        writer: &'static Writer,
        /// Whether the next write succeeds; when it is dropped all do.
        turn: Sender<bool>,
        written: Receiver<Vec<u8>>,
        told: Arc<Mutex<Vec<u64>>>,
    }

    fn running() -> Running {
        let buffer = Mutex::new(Buffer { texts: [].into(), bytes: 0, is_writing: false });
        let (filled, emptied) = (Condvar::new(), Condvar::new());
        let (dropped, is_running) = (AtomicU64::new(0), AtomicBool::new(true));
        let writer: &'static Writer = Box::leak(Box::new(Writer { buffer, filled, emptied, dropped, is_running }));
        let ((turn, turns), (texts, written)) = (channel(), channel());
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = told.clone();
        std::thread::spawn(move || writer.run(Pipe { turns, texts }, &|count| telling.lock().unwrap().push(count)));
        Running { writer, turn, written, told }
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up_and_hears_what_is_missing() {
        let Running { writer, turn, written, told } = running();
        let line = vec![b'x'; MAX_BYTES / 4];
        let taken = (0..10).filter(|_| writer.push(&line).is_ok()).count();
        assert_eq!(taken, 4);
        assert_eq!(writer.push(b"y"), Err(BufferFull));
        writer.flush(Duration::from_millis(1));
        drop(turn);
        assert_eq!(written.iter().take(4).map(|text| text.len()).sum::<usize>(), MAX_BYTES);
        writer.push(b"z").unwrap();
        assert_eq!(written.recv().unwrap(), b"z");
        writer.flush(Duration::from_secs(30));
        assert_eq!(*told.lock().unwrap(), [7]);
    }

    #[test]
    fn a_write_that_fails_is_counted_and_the_next_begins_a_line() {
        let Running { writer, turn, written, told } = running();
        writer.push(b"one\n").unwrap();
        turn.send(false).unwrap();
        writer.flush(Duration::from_secs(30));
        drop(turn);
        writer.push(b"two\n").unwrap();
        assert_eq!((written.recv().unwrap(), written.recv().unwrap()), (b"\n".to_vec(), b"two\n".to_vec()));
        writer.push(b"three\n").unwrap();
        assert_eq!(written.recv().unwrap(), b"three\n");
        assert_eq!(*told.lock().unwrap(), [1]);
    }
}
