//! A tour of Keyward: a real client walks through the main job of a running service, from registering an account to
//! deleting it, and shows every call with its answer.
//!
//! `deploy/dev tour` starts a service for it. Against one that is running already, with `mail.transport = "file"`:
//!
//! ```sh
//! cargo run --example tour -- --address 127.0.0.1:50051 --mail-directory DIRECTORY
//! ```
//!
//! Every run has an address and devices of its own, and stays within the default throttles. They count by network, too:
//! leave half a minute between two runs against one service. What is not as it must be ends the tour with exit code 1.

#[path = "tour/account.rs"]
mod account;
#[path = "tour/calls.rs"]
mod calls;
#[path = "tour/device.rs"]
mod device;
#[path = "tour/mailbox.rs"]
mod mailbox;
#[path = "tour/password_reset.rs"]
mod password_reset;
#[path = "tour/registration.rs"]
mod registration;
#[path = "tour/say.rs"]
mod say;
#[path = "tour/sessions.rs"]
mod sessions;
#[path = "tour/show.rs"]
mod show;
#[path = "tour/surprise.rs"]
mod surprise;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

use crate::device::Device;
use crate::mailbox::{Mail, Mailbox};
use crate::say::Say;
use crate::surprise::Surprise;

/// Walk through the main job of a running Keyward service, and show every call.
#[derive(Parser)]
struct Arguments {
    /// Where the service listens: HOST:PORT, or the same after http://.
    #[arg(long, default_value = "127.0.0.1:50051", value_parser = endpoint)]
    address: Endpoint,
    /// Where the service puts its mails: its `mail.directory`.
    #[arg(long)]
    mail_directory: PathBuf,
}

fn endpoint(address: &str) -> Result<Endpoint, tonic::transport::Error> {
    let patience = Duration::from_secs(10);
    let with_scheme = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    Ok(Endpoint::from_shared(with_scheme)?.connect_timeout(patience).timeout(patience))
}

/// The person on tour: an e-mail address with a mailbox, and any number of devices.
pub(crate) struct Tour {
    say: Say,
    channel: Channel,
    mailbox: Mailbox,
    email: String,
    /// Tells the devices of this run from those of others.
    run: String,
}

impl Tour {
    async fn begin(arguments: Arguments) -> Result<Self, Surprise> {
        let channel = arguments.address.connect().await?;
        let run = Uuid::new_v4().simple().to_string().split_off(24);
        let email = format!("ada-{run}@example.com");
        let mailbox = Mailbox::new(arguments.mail_directory, &email);
        Ok(Self { say: Say::new()?, channel, mailbox, email, run })
    }

    /// Another device of the same person, not signed in.
    fn device(&self, name: &str) -> Device {
        let id = format!("{}-{}", name.to_lowercase(), self.run);
        Device::new(id, name, self.channel.clone(), self.say.clone())
    }

    /// Waits for a mail with such a subject, and shows it.
    async fn mail(&mut self, subject: &str) -> Result<Mail, Surprise> {
        let mail = self.mailbox.next(subject).await?;
        self.say.mail(&mail);
        Ok(mail)
    }

    /// Says what holds, or ends the tour because it does not.
    fn check(&self, fact: &'static str, holds: bool) -> Result<(), Surprise> {
        self.say.fact(fact, holds);
        if holds { Ok(()) } else { Err(Surprise::Fact(fact)) }
    }
}

/// The story. Each step relies on the ones before it.
async fn walk(tour: &mut Tour) -> Result<(), Surprise> {
    let mut phone = tour.device("Phone");
    let registration = registration::register(tour, &phone).await?;
    registration::verify(tour, &phone, registration).await?;

    sessions::log_in(tour, &mut phone).await?;
    sessions::refresh(tour, &mut phone).await?;
    sessions::list(tour, &phone).await?;
    let [mut laptop, watch] = sessions::log_in_from_five_more(tour, &phone).await?;

    account::wrong_password(tour, &phone).await?;
    account::update(tour, &laptop).await?;
    account::change_password(tour, &laptop, &watch).await?;

    password_reset::reset(tour, &phone, &laptop).await?;
    password_reset::log_in(tour, &mut phone, &mut laptop).await?;

    sessions::log_out(tour, &laptop).await?;
    account::delete(tour, &phone).await
}

#[tokio::main]
async fn main() -> ExitCode {
    match tour(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(surprise) => {
            complain(&surprise);
            ExitCode::FAILURE
        }
    }
}

async fn tour(arguments: Arguments) -> Result<(), Surprise> {
    let mut tour = Tour::begin(arguments).await?;
    walk(&mut tour).await?;
    tour.say.end();
    Ok(())
}

#[expect(clippy::print_stderr, reason = "it is the end of a program")]
fn complain(surprise: &Surprise) {
    eprint!("\ntour: {surprise}");
    let mut source = surprise.source();
    while let Some(cause) = source {
        eprint!(": {cause}");
        source = cause.source();
    }
    eprintln!();
}
