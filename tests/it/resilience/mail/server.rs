//! A mail server in place of the mailbox that answers as it is told to.

use std::sync::{Arc, Mutex};

use secrecy::ExposeSecret;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::{TestApp, within_patience};

/// What the server answers other than usual: what a command begins with, and the reply. `GREET` is the greeting, `.` the end of
/// the message. A reply of nothing never comes.
pub(super) type Script = &'static [(&'static str, &'static str)];

/// The server.
pub(super) struct MailServer {
    script: Arc<Mutex<Script>>,
    taken: watch::Receiver<Vec<String>>,
}

impl MailServer {
    /// Takes the place of the mailbox, which goes away.
    pub(super) async fn instead_of_mailbox(app: &mut TestApp, script: Script) -> Self {
        app.mailbox.go_away().await;
        let url = app.first().app.config.mail.smtp_url.clone().unwrap();
        let address = url.expose_secret().strip_prefix("smtp://").unwrap().to_owned();
        let listener = TcpListener::bind(address).await.unwrap();
        let script = Arc::new(Mutex::new(script));
        let (taking, taken) = watch::channel(Vec::new());
        let told = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, told.clone(), taking.clone()));
            }
        });
        Self { script, taken }
    }

    /// Answers otherwise from now on.
    pub(super) fn answer(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    /// Whom it has taken mail for, in this order.
    pub(super) fn taken(&self) -> Vec<String> {
        self.taken.borrow().clone()
    }

    /// Waits until it has taken a mail for somebody.
    pub(super) async fn takes_for(&mut self, recipient: &str) {
        let is_for = |taken: &Vec<String>| taken.iter().any(|taken| taken == recipient);
        let waiting = self.taken.wait_for(is_for);
        drop(within_patience(&format!("a mail for {recipient}"), waiting).await.unwrap());
    }
}

async fn converse(stream: TcpStream, script: Arc<Mutex<Script>>, taking: watch::Sender<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let (mut command, mut recipient) = ("GREET".to_owned(), String::new());
    let mut is_message = false;
    loop {
        if !is_message || command == "." {
            let script = *script.lock().unwrap();
            let told = script.iter().find(|(start, _)| command.starts_with(start)).map(|(_, reply)| *reply);
            let usual = match command.get(..4).unwrap_or(&command) {
                "GREE" => "220 test ESMTP",
                "DATA" => "354 go on",
                _ => "250 ok",
            };
            let reply = told.unwrap_or(usual);
            if reply.is_empty() {
                std::future::pending::<()>().await;
            }
            if let Some(address) = command.strip_prefix("RCPT TO:<") {
                address.trim_end_matches('>').clone_into(&mut recipient);
            }
            if is_message && reply.starts_with('2') {
                taking.send_modify(|taken| taken.push(recipient.clone()));
            }
            is_message = reply.starts_with('3');
            if stream.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                return;
            }
        }
        command.clear();
        // Nothing is read once the service hangs up.
        if stream.read_line(&mut command).await.unwrap_or(0) == 0 {
            return;
        }
        command.truncate(command.trim_end().len());
    }
}
