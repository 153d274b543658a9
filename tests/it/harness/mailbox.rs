//! Everybody's mailbox: a real SMTP server that keeps what it is handed until a test reads it.

use std::net::{IpAddr, SocketAddr};

use mailcrab::MailMessage;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::within_patience;

/// A mail as its reader sees it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mail {
    /// Whose mailbox it lies in.
    #[serde(rename = "envelope_recipients")]
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Mail {
    /// The one code in it, which stands in the HTML, too.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let numbers = self.text.split(|character: char| !character.is_ascii_digit());
        let codes: Vec<_> = numbers.filter(|number| number.len() == 6).collect();
        let [code] = codes.as_slice() else { panic!("not one code in {self:?}") };
        assert!(self.html.contains(code), "the text and the HTML differ: {self:?}");
        (*code).to_owned()
    }
}

/// What has arrived.
#[derive(Debug, Default)]
struct Arrived {
    count: usize,
    unread: Vec<Mail>,
}

/// The mail server and what it has received.
pub(crate) struct Mailbox {
    address: SocketAddr,
    // A runtime of its own, since nothing else ends the connections that are open.
    server: Option<Runtime>,
    arrived: watch::Sender<Arrived>,
}

impl Mailbox {
    pub(super) async fn open() -> Self {
        let mut mailbox = Self { address: free_address().await, server: None, arrived: watch::Sender::default() };
        mailbox.come_back().await;
        mailbox
    }

    pub(super) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Takes the oldest unread mail to this address, once there is one.
    pub(crate) async fn next_to(&self, address: &str) -> Mail {
        let is_to_address = |mail: &Mail| mail.to.iter().any(|to| to == address);
        let mut arrived = self.arrived.subscribe();
        let reading = async {
            loop {
                arrived.wait_for(|arrived| arrived.unread.iter().any(is_to_address)).await.unwrap();
                let mut taken = None;
                self.arrived.send_if_modified(|arrived| {
                    let place = arrived.unread.iter().position(is_to_address);
                    taken = place.map(|place| arrived.unread.remove(place));
                    taken.is_some()
                });
                // Somebody else may have been quicker.
                if let Some(mail) = taken {
                    return mail;
                }
            }
        };
        within_patience(&format!("a mail to {address}"), reading).await
    }

    /// The unread mails to this address, oldest first, as of now; see
    /// [`TestApp::all_mail_delivered`](super::TestApp::all_mail_delivered).
    pub(crate) fn unread_of(&self, address: &str) -> Vec<Mail> {
        let arrived = self.arrived.borrow();
        arrived.unread.iter().filter(|mail| mail.to.iter().any(|to| to == address)).cloned().collect()
    }

    /// Waits until this many mails have arrived in all.
    pub(super) async fn received(&self, count: usize) {
        self.arrived.subscribe().wait_for(|arrived| arrived.count >= count).await.unwrap();
    }

    /// The server goes away, with every connection to it.
    pub(crate) async fn go_away(&mut self) {
        let server = self.server.take().expect("the mail server is away already");
        tokio::task::spawn_blocking(move || server.shutdown_timeout(super::PATIENCE)).await.unwrap();
    }

    /// The server comes back, at the address that it had.
    pub(crate) async fn come_back(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (sender, receiver) = broadcast::channel(1024);
        let (ip, port) = (self.address.ip(), self.address.port());
        runtime.spawn(mailcrab::mail_server(ip, port, sender, false, CancellationToken::new()));
        runtime.spawn(keep(receiver, self.arrived.clone()));
        let listening = async {
            while TcpStream::connect(self.address).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        within_patience("the mail server to listen", listening).await;
        self.server = Some(runtime);
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown_background();
        }
    }
}

async fn keep(mut receiver: broadcast::Receiver<MailMessage>, arrived: watch::Sender<Arrived>) {
    while let Ok(message) = receiver.recv().await {
        // Its fields are private to mailcrab, and its JSON is not.
        let mail = serde_json::from_value(serde_json::to_value(message).unwrap()).unwrap();
        arrived.send_modify(|arrived| {
            arrived.count += 1;
            arrived.unread.push(mail);
        });
    }
}

/// A port that nobody listens on. On a loopback address of this test's own, as the server cannot be handed a listener, and
/// the port of 127.0.0.1 might be taken by another process before it listens.
async fn free_address() -> SocketAddr {
    let [a, b, c, ..] = *uuid::Uuid::new_v4().as_bytes();
    let address = IpAddr::from([127, a, b, c.clamp(2, 254)]);
    TcpListener::bind((address, 0)).await.unwrap().local_addr().unwrap()
}
