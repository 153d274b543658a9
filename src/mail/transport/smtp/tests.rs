//! Against servers that say what they are told to.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::super::super::tests::letter;
use super::*;
use crate::mail::Fault;

const GREETING: [&str; 2] = ["220 test ESMTP", "250 test"];

fn smtp(port: u16, limit: Duration) -> Smtp {
    Smtp::new(SmtpServer::parse(&format!("smtp://127.0.0.1:{port}")).unwrap(), limit).unwrap()
}

/// A server for one connection that gives these replies, one to each line, and then keeps silent until QUIT.
async fn server(replies: &[&'static str]) -> u16 {
    serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), replies)
}

fn serve(listener: TcpListener, replies: &[&'static str]) -> u16 {
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
    assert_eq!(smtp.idle.lock().unwrap().len(), 1);
    server.token.cancel();
}

#[tokio::test]
async fn a_refusal_is_told_from_a_delay_and_quotes_no_address() {
    let error = refusal(&["250 ok", "550 5.1.1 <anna@example.com>: no such user here"]).await;
    assert_eq!(error.fault(), Fault::Mail);
    assert_eq!(error.to_string(), "the SMTP server refused the mail: 550 5.1.1");
    assert!(!format!("{error:?}").contains("anna"), "{error:?}");

    let error = refusal(&["250 ok", "451 <anna@example.com>: greylisted, come back later"]).await;
    assert_eq!(error.fault(), Fault::Passing);
    assert_eq!(error.to_string(), "the SMTP server put off the recipient: 451");
    assert!(!format!("{error:?}").contains("anna"), "{error:?}");
}

#[tokio::test]
async fn wrong_credentials_and_garbage_are_no_fault_of_the_mail() {
    let error = refusal(&["530 5.7.0 authentication required"]).await;
    assert!(matches!(error, SendError::Rejected { stage: Stage::Sender, .. }), "{error:?}");
    assert_eq!((error.fault(), error.needs_an_operator()), (Fault::WayOut, true));
    let error = refusal(&["250 ok", "554 5.7.1 Relay access denied"]).await;
    assert_eq!((error.fault(), error.needs_an_operator()), (Fault::Ours, true), "{error:?}");
    let error = refusal(&["hello anna@example.com"]).await;
    assert!(matches!(error, SendError::Garbled(Stage::Sender)), "{error:?}");
    assert!(!error.with_causes().contains("anna"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_and_not_used_again() {
    let smtp = smtp(server(&["250 ok", "250 ok", "354 go on"]).await, Duration::from_millis(100));
    let error = smtp.send(&letter()).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Passing, "{error:?}");
    assert!(smtp.idle.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_should_be_encrypted_never_goes_in_the_clear() {
    for (scheme, query) in [("smtp", "?tls=required"), ("smtps", "")] {
        let url = format!("{scheme}://127.0.0.1:{}{query}", server(&["250 ok"]).await);
        let smtp = Smtp::new(SmtpServer::parse(&url).unwrap(), Duration::from_secs(10)).unwrap();
        let error = smtp.send(&letter()).await.unwrap_err();
        assert_eq!((error.fault(), error.needs_an_operator()), (Fault::WayOut, true), "{error:?}");
        let told = error.with_causes();
        assert!(told.contains("TLS"), "{told}");
    }
}

#[tokio::test]
async fn nobody_listening_is_a_matter_of_time() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let error = smtp(port, Duration::from_secs(10)).send(&letter()).await.unwrap_err();
    assert_eq!((error.fault(), error.needs_an_operator()), (Fault::WayOut, false), "{error:?}");
    assert!(error.with_causes().contains("refused"), "{}", error.with_causes());
}

#[tokio::test]
async fn an_ipv6_address_in_brackets_is_an_address() {
    // Some machines have no IPv6 at all.
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else { return };
    let port = serve(listener, &["250 ok", "250 ok", "354 go on", "250 taken"]);
    let server = SmtpServer::parse(&format!("smtp://[::1]:{port}")).unwrap();
    Smtp::new(server, Duration::from_secs(10)).unwrap().send(&letter()).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_opened_anew() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let smtp = smtp(listener.local_addr().unwrap().port(), Duration::from_secs(10));
    tokio::spawn(async move {
        loop {
            // One mail a connection.
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            for reply in ["220 test ESMTP", "250 test", "250 ok", "250 ok", "354 go on"] {
                stream.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
                stream.read_line(&mut String::new()).await.unwrap();
            }
            let mut line = String::new();
            while line != ".\r\n" {
                line.clear();
                stream.read_line(&mut line).await.unwrap();
            }
            stream.write_all(b"250 taken\r\n").await.unwrap();
        }
    });
    for _ in 0..3 {
        smtp.send(&letter()).await.unwrap();
    }
}
