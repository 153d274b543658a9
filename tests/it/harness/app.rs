//! The service under test, with everything it stands on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use keyward::clock::{Clock, MockClock};

use super::database::Database;
use super::device::Device;
use super::mailbox::Mailbox;
use super::person::Person;
use super::replica::Replica;
use super::settings::Settings;
use super::within_patience;

/// When every test begins.
const START: &str = "2030-01-01T12:00:00Z";

/// One deployment: a database, a mailbox, a clock, and one replica of the service or more.
pub(crate) struct TestApp {
    // Dropped in this order: the service before what it stands on.
    first: Option<Replica>,
    address: SocketAddr,
    /// What it is configured with.
    pub(crate) settings: Settings,
    /// The mails that the service has sent.
    pub(crate) mailbox: Mailbox,
    /// The service's time.
    pub(crate) clock: Arc<MockClock>,
    /// The database, to look into, or to take away.
    pub(crate) database: Database,
}

impl TestApp {
    /// A service with the settings of [`Settings::default`].
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    /// A service with these settings.
    pub(crate) async fn with(settings: Settings) -> Self {
        let database = Database::create().await;
        let url = database.url().to_owned();
        Self::on(database, &url, settings).await
    }

    /// A service with these settings that finds its database at `url`.
    pub(crate) async fn on(database: Database, url: &str, settings: Settings) -> Self {
        let mailbox = Mailbox::open().await;
        let clock = Arc::new(MockClock::at(START.parse().unwrap()));
        let settings = settings.set("database.url", url).set("mail.smtp_url", &mailbox.url());
        let first = Replica::start(&settings, clock.clone(), None).await;
        Self { address: first.address, first: Some(first), settings, mailbox, clock, database }
    }

    /// The settings of its replicas.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The replica that is there from the start.
    pub(crate) fn first(&self) -> &Replica {
        self.first.as_ref().expect("the service is stopped")
    }

    /// Another replica on the same database, with the same settings, clock and mailbox.
    pub(crate) async fn replica(&self) -> Replica {
        self.replica_with(&self.settings).await
    }

    /// Another replica on the same database, with other settings.
    pub(crate) async fn replica_with(&self, settings: &Settings) -> Replica {
        Replica::start(settings, self.clock.clone(), None).await
    }

    /// Stops the first replica as SIGTERM does, and waits for its end.
    pub(crate) async fn stop(&mut self) {
        self.first.take().expect("the service is stopped").stop().await;
    }

    /// Ends the first replica in the middle of whatever it does.
    pub(crate) async fn kill(&mut self) {
        self.first.take().expect("the service is stopped").kill().await;
    }

    /// Starts the first replica again, on the port that it had, so that devices find it.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.first.is_none(), "the service is running");
        self.first = Some(Replica::start(&self.settings, self.clock.clone(), Some(self.address)).await);
    }

    /// An installation of a client, signed in as nobody.
    pub(crate) fn device(&self, device_id: &str) -> Device {
        self.first().device(device_id)
    }

    /// A client that names no device.
    pub(crate) fn stranger(&self) -> Device {
        self.first().stranger()
    }

    /// Somebody who has registered with [`PASSWORD`](super::PASSWORD) and proved the address, on a device named `desk`. The
    /// mails of that have been read.
    pub(crate) async fn user(&self, email: &str) -> Person {
        let desk = self.device("desk");
        let registration = desk.register(email).await.unwrap();
        let code = self.mailbox.next_to(email).await.code();
        let verified = desk.verify_email(&registration.registration_id, &code).await.unwrap();
        assert!(self.mailbox.next_to(email).await.subject.starts_with("Welcome"), "a mail besides the welcome");
        Person::new(desk, verified.user.unwrap())
    }

    /// Waits until every mail that has been caused so far has been delivered, so that one can say what has not been sent.
    pub(crate) async fn all_mail_delivered(&self) {
        let row = self
            .database
            .client()
            .await
            .query_one("SELECT count(*) FROM mail_outbox WHERE delivered_at IS NULL OR attempts > 0", &[])
            .await
            .unwrap();
        let caused: i64 = row.get(0);
        within_patience("the mails in the outbox", self.mailbox.received(caused.try_into().unwrap())).await;
    }

    /// The master key, for programs that work on the same database.
    pub(crate) fn master_key(&self) -> &str {
        self.settings.value("master_key")
    }

    /// The service's time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Lets time pass for the service.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}
