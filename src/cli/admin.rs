//! `keyward admin create`: the first administrator of a deployment.

use std::io::{self, IsTerminal, Read};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Failure, logging, print};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::flows::admins::{self, AdminCreated, Holder};
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::password::Password;

/// What to do with administrators.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Creates an administrator, or makes the holder of the address one. The password is asked for, or read from standard
    /// input when that is not a terminal.
    Create {
        /// The e-mail address; it counts as proved.
        #[arg(long, value_parser = Email::parse)]
        email: Email,
        /// The name of the account.
        #[arg(long, default_value = "Administrator", value_parser = DisplayName::parse)]
        display_name: DisplayName,
        /// Do nothing, and ask for nothing, if the address is an administrator's already.
        #[arg(long)]
        if_absent: bool,
    },
}

pub(super) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    logging::start(&config.log)?;
    let Command::Create { email, display_name, if_absent } = command;
    let app = App::for_command(config, Arc::new(SystemClock)).await?;
    if if_absent && admins::exists(&app, &email).await? {
        return print("the administrator is there already\n");
    }
    let password = Password::parse(&read_password()?)?;
    match admins::create(&app, email, display_name, password).await? {
        AdminCreated::Created(user_id) => print(&format!("created the administrator {user_id}\n")),
        AdminCreated::Promoted(holder) => print(&stays(holder, "now")),
        AdminCreated::Unchanged(holder) => print(&stays(holder, "already")),
    }
}

fn stays(Holder { user_id, can_log_in }: Holder, since: &str) -> String {
    let but = if can_log_in { "" } else { ", but it cannot log in: it is suspended or has no password yet" };
    format!("the user {user_id} is an administrator {since}; its password stays{but}\n")
}

/// Asks twice on a terminal; elsewhere reads standard input to its end, less the line break.
fn read_password() -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        let mut text = Zeroizing::new(String::new());
        io::stdin().lock().take(4096).read_to_string(&mut text)?;
        return Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    let password = Zeroizing::new(rpassword::prompt_password("Password: ")?);
    let again = Zeroizing::new(rpassword::prompt_password("Again: ")?);
    if *password == *again { Ok(password) } else { Err("the two passwords differ".into()) }
}
