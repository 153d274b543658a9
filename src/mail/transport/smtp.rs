//! Mail by SMTP (RFC 5321), with TLS from the start or by STARTTLS, over connections that are kept for the next mail.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::{AsyncSmtpTransportBuilder, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::super::letter::Letter;
use super::super::{MailError, SendError};

/// As many connections are kept open while there is nothing to send.
const IDLE_LANES: usize = 4;

/// A pool of one connection, opened when it is first needed and closed after a minute of rest.
type Lane = AsyncSmtpTransport<Tokio1Executor>;

/// An SMTP server, and the lanes to it that nobody uses at the moment.
///
/// lettre's pool takes a connection back even when its use was broken off in the middle, out of step with the server. So
/// each mail has a lane of its own while it is sent, and only one that has come to an end is used again.
pub(in crate::mail) struct Smtp {
    builder: AsyncSmtpTransportBuilder,
    timeout: Duration,
    idle: Mutex<Vec<Lane>>,
}

impl Smtp {
    /// The server at `url`: `smtps://user:password@host:port` (TLS), or `smtp://..` with `?tls=required` (STARTTLS),
    /// `?tls=opportunistic` (STARTTLS if offered) or nothing (no TLS). A mail may take `limit` in all, of which reaching
    /// one of the server's addresses may take a third.
    pub(in crate::mail) fn new(url: &SecretString, limit: Duration) -> Result<Self, MailError> {
        let url = url.expose_secret();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        if !matches!(query, "" | "tls=required" | "tls=opportunistic") {
            return Err(MailError::SmtpUrlParameter);
        }
        let builder = Lane::from_url(url)
            .map_err(MailError::SmtpUrl)?
            .timeout(Some(limit / 3))
            .pool_config(PoolConfig::new().max_size(1));
        Ok(Self { builder, timeout: limit, idle: Mutex::default() })
    }

    /// Hands a letter to the server.
    pub(in crate::mail) async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let lane = self.lanes().pop().unwrap_or_else(|| self.builder.clone().build());
        let (envelope, bytes) = (letter.message.envelope(), letter.message.formatted());
        let outcome = timeout(self.timeout, lane.send_raw(envelope, &bytes))
            .await
            .map_err(|_elapsed| SendError::TimedOut(self.timeout))?;
        let mut lanes = self.lanes();
        if lanes.len() < IDLE_LANES {
            lanes.push(lane);
        }
        outcome?;
        Ok(())
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::net::Ipv4Addr;

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::super::tests::letter;
    use super::*;

    const GREETING: [&str; 2] = ["220 test ESMTP", "250 test"];

    fn smtp(port: u16, limit: Duration) -> Smtp {
        Smtp::new(&format!("smtp://127.0.0.1:{port}").into(), limit).unwrap()
    }

    /// A server for one connection that gives these replies, one to each line, and then keeps silent until QUIT.
    async fn server(replies: &[&'static str]) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let replies = [&GREETING, replies].concat();
        tokio::spawn(async move {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let mut lines = String::new();
            for reply in replies {
                stream.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
                stream.read_line(&mut lines).await.unwrap();
            }
            while !lines.ends_with("QUIT\r\n") && stream.read_line(&mut lines).await.is_ok_and(|read| read > 0) {}
        });
        port
    }

    async fn refusal(replies: &[&'static str]) -> SendError {
        smtp(server(replies).await, Duration::from_secs(10)).send(&letter()).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_real_server_gets_the_message_and_the_connection_is_kept() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        let mut server = mailcrab::development_mail_server(Ipv4Addr::LOCALHOST, port).await;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            tokio::task::yield_now().await;
        }
        let smtp = smtp(port, Duration::from_secs(10));
        for _ in 0..2 {
            smtp.send(&letter()).await.unwrap();
            let received = server.rx.recv().await.unwrap();
            assert_eq!(received.envelope_from, "no-reply@keyward.example");
            assert_eq!(received.envelope_recipients, ["anna@example.com"]);
            assert!(received.parse_warnings.is_empty(), "{:?}", received.parse_warnings);
            let (received, sent) = (received.raw_bytes().unwrap(), letter().message.formatted());
            assert_eq!(String::from_utf8(received).unwrap().trim_end(), String::from_utf8(sent).unwrap().trim_end());
        }
        assert_eq!(smtp.lanes().len(), 1);
        server.token.cancel();
    }

    #[tokio::test]
    async fn a_refusal_is_told_from_a_delay_and_quotes_no_address() {
        let error = refusal(&["250 ok", "550 5.1.1 <anna@example.com>: no such user here"]).await;
        assert!(error.is_permanent());
        assert_eq!(error.to_string(), "the SMTP server refused the mail: 550 5.1.1");
        assert!(!format!("{error:?}").contains("anna"), "{error:?}");

        let error = refusal(&["250 ok", "451 <anna@example.com>: greylisted, come back later"]).await;
        assert!(!error.is_permanent());
        assert_eq!(error.to_string(), "the SMTP server put the mail off: 451");
        assert!(!format!("{error:?}").contains("anna"), "{error:?}");
    }

    #[tokio::test]
    async fn wrong_credentials_and_garbage_are_no_fault_of_the_mail() {
        assert!(matches!(refusal(&["530 5.7.0 authentication required"]).await, SendError::PutOff(_)));
        let error = refusal(&["hello anna@example.com"]).await;
        assert!(matches!(error, SendError::Garbled) && !error.is_permanent(), "{error:?}");
    }

    #[tokio::test]
    async fn a_server_that_falls_silent_is_left_and_not_used_again() {
        let smtp = smtp(server(&["250 ok", "250 ok", "354 go on"]).await, Duration::from_millis(100));
        let error = smtp.send(&letter()).await.unwrap_err();
        assert!(matches!(error, SendError::TimedOut(_)) && !error.is_permanent(), "{error:?}");
        assert!(smtp.lanes().is_empty());
    }

    #[tokio::test]
    async fn what_should_be_encrypted_never_goes_in_the_clear() {
        for (scheme, query) in [("smtp", "?tls=required"), ("smtps", "")] {
            let url = format!("{scheme}://127.0.0.1:{}{query}", server(&["250 ok"]).await);
            let error = Smtp::new(&url.into(), Duration::from_secs(10)).unwrap().send(&letter()).await.unwrap_err();
            assert!(matches!(error, SendError::Connection(_)) && !error.is_permanent(), "{error:?}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_a_matter_of_time() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        let error = smtp(port, Duration::from_secs(10)).send(&letter()).await.unwrap_err();
        assert!(matches!(error, SendError::Connection(_)) && !error.is_permanent(), "{error:?}");
    }
}
