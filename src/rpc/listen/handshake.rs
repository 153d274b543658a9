//! Sees when a client has completed its handshake: the preface and SETTINGS of HTTP/2, or the head of a first HTTP/1 request.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

/// What every HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The type of the frame that has to follow it.
const SETTINGS: u8 = 4;

/// The length of a frame's header: a length of three bytes, a type, flags, and a stream of four bytes.
const FRAME_HEADER: u8 = 9;

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// So many bytes of the preface have come.
    Preface(usize),
    /// So many bytes of the header of the first frame have come, which is this long as far as that is known.
    FrameHeader(u8, u32),
    /// So many bytes of the first frame are missing.
    Settings(u32),
    /// A head of HTTP/1, of which so many line ends have come in a row; `None` before its first line.
    Head(Option<u8>),
    /// It is complete.
    Complete,
    /// It will never be complete: its first frame is another one.
    Broken,
}

impl Progress {
    fn after(self, byte: u8) -> Self {
        match self {
            Self::Preface(matched) if PREFACE.get(matched) == Some(&byte) => match matched + 1 {
                all if all == PREFACE.len() => Self::FrameHeader(0, 0),
                matched => Self::Preface(matched),
            },
            Self::Preface(0) => Self::Head(None).after(byte),
            Self::Preface(_) => Self::Head(Some(0)).after(byte),
            Self::FrameHeader(read @ 0..=2, length) => Self::FrameHeader(read + 1, (length << 8) | u32::from(byte)),
            Self::FrameHeader(3, _) if byte != SETTINGS => Self::Broken,
            Self::FrameHeader(read, 0) if read + 1 == FRAME_HEADER => Self::Complete,
            Self::FrameHeader(read, length) if read + 1 == FRAME_HEADER => Self::Settings(length),
            Self::FrameHeader(read, length) => Self::FrameHeader(read + 1, length),
            Self::Settings(0 | 1) => Self::Complete,
            Self::Settings(missing) => Self::Settings(missing - 1),
            Self::Head(ends) => match (byte, ends) {
                (b'\n', Some(1..)) => Self::Complete,
                (b'\n', Some(0)) => Self::Head(Some(1)),
                (b'\r' | b'\n', _) => Self::Head(ends),
                _ => Self::Head(Some(0)),
            },
            Self::Complete | Self::Broken => self,
        }
    }
}

/// A connection whose handshake is watched. What is read and written passes unchanged.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    progress: Progress,
    completed: CancellationToken,
}

impl<S> Watched<S> {
    /// Cancels `completed` when the handshake is complete.
    pub(super) const fn new(stream: S, completed: CancellationToken) -> Self {
        Self { stream, progress: Progress::Preface(0), completed }
    }

    fn watch(&mut self, bytes: &[u8]) {
        if matches!(self.progress, Progress::Complete | Progress::Broken) {
            return;
        }
        self.progress = bytes.iter().fold(self.progress, |progress, byte| progress.after(*byte));
        if self.progress == Progress::Complete {
            self.completed.cancel();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.watch(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{PREFACE, Progress};

    fn after(pieces: &[&[u8]]) -> Progress {
        pieces.concat().iter().fold(Progress::Preface(0), |progress, byte| progress.after(*byte))
    }

    #[test]
    fn http2_needs_its_preface_and_its_settings() {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100];
        assert_eq!(after(&[PREFACE, &settings]), Progress::Complete);
        assert_eq!(after(&[PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]]), Progress::Complete, "empty ones will do");
        for missing in 1..settings.len() {
            let part = settings.get(..settings.len() - missing).unwrap_or_default();
            assert_ne!(after(&[PREFACE, part]), Progress::Complete, "{missing}");
        }
        assert_eq!(after(&[PREFACE]), Progress::FrameHeader(0, 0));
        assert_eq!(after(&[PREFACE, &[0, 0, 4, 1, 0, 0, 0, 0, 1]]), Progress::Broken);
    }

    #[test]
    fn http1_needs_a_whole_head() {
        assert_eq!(after(&[b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"]), Progress::Complete);
        assert_eq!(after(&[b"POST / HTTP/1.0\n\n"]), Progress::Complete);
        for part in [b"P".as_slice(), b"GET / HTTP/1.1\r\nHost: here\r\n", b"\r\n\r\n\r\n", b"PRX\r\n"] {
            assert_ne!(after(&[part]), Progress::Complete, "{part:?}");
        }
    }
}
