//! `keyward users`: other people's accounts from the command line. What it changes is on record as an operator's doing.

mod export;
mod import;
mod list;
mod print;

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use super::{Failure, WrongUsage, logging, stopping};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::flows::users;
use crate::model::audit::Act;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::role::{RoleName, RolesChange};
use crate::model::user::User;

/// What to do with users.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prints users, by default the newest first.
    List(list::Arguments),
    /// Prints one user.
    Show(One),
    /// Suspends a user: its sessions end at once, and it cannot log in until it is reinstated.
    Suspend(One),
    /// Lets a suspended user log in again.
    Reinstate(One),
    /// Prints a user's roles, after changing them if so asked.
    Roles(Roles),
    /// Prints where a user is signed in, or ends it.
    Sessions {
        #[command(flatten)]
        one: One,
        /// End all of its sessions instead.
        #[arg(long)]
        revoke: bool,
    },
    /// Deletes a user and everything of theirs, for good. Asks before it does.
    Delete {
        #[command(flatten)]
        one: One,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Creates users from a file of JSON lines. Who is there already is passed over, so that it can be run again. Lines that
    /// are refused are told with their numbers, and make it exit with 1.
    Import(import::Arguments),
    /// Writes all users as JSON lines, which `import` reads.
    Export(export::Arguments),
}

impl Command {
    /// Refuses what cannot be done as it is asked for, before anything is.
    fn check(&self) -> Result<(), WrongUsage> {
        match self {
            Self::Delete { yes: false, .. } if !io::stdin().is_terminal() => {
                Err(WrongUsage("there is no terminal to ask on: give --yes"))
            }
            Self::Export(arguments) => arguments.check(),
            _ => Ok(()),
        }
    }
}

/// One user, and how to print it.
#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The user, by its identifier or its e-mail address.
    #[arg(value_name = "ID|EMAIL", value_parser = target)]
    user: Target,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// One user, and what is to become of its roles.
#[derive(Debug, clap::Args)]
pub(super) struct Roles {
    #[command(flatten)]
    one: One,
    /// The roles that it is to have, and no others, separated by commas; an empty text takes every role away.
    #[arg(long, value_name = "ROLES", value_parser = roles, conflicts_with_all = ["give", "take"])]
    set: Option<BTreeSet<RoleName>>,
    /// A role to give it; may be repeated.
    #[arg(long, value_name = "ROLE")]
    give: Vec<RoleName>,
    /// A role to take from it; may be repeated.
    #[arg(long, value_name = "ROLE")]
    take: Vec<RoleName>,
}

/// Which user is meant.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Id(UserId),
    Email(Email),
}

fn target(text: &str) -> Result<Target, String> {
    let email = |text| Email::parse(text).map(Target::Email).map_err(|cause| cause.to_string());
    text.parse().map(Target::Id).or_else(|_| email(text))
}

fn roles(text: &str) -> Result<BTreeSet<RoleName>, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.parse().map_err(|cause| format!("{name:?} {cause}"))).collect()
}

pub(super) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    command.check()?;
    logging::start(&config.log)?;
    let app = App::for_command(config, Arc::new(SystemClock)).await?;
    let by = Act::operator();
    match command {
        Command::List(arguments) => list::run(&app, arguments).await,
        Command::Show(one) => print::user(&find(&app, &one.user).await?, one.json),
        Command::Suspend(one) => {
            let user = find(&app, &one.user).await?;
            print::user(&users::suspend(&app, &by, user.user_id).await?, one.json)
        }
        Command::Reinstate(one) => {
            let user = find(&app, &one.user).await?;
            print::user(&users::reinstate(&app, &by, user.user_id).await?, one.json)
        }
        Command::Roles(asked) => change_roles(&app, &by, asked).await,
        Command::Sessions { one, revoke: true } => {
            let user = find(&app, &one.user).await?;
            let count = users::revoke_sessions(&app, &by, user.user_id).await?;
            print::revoked(user.user_id, count, one.json)
        }
        Command::Sessions { one, revoke: false } => {
            let user = find(&app, &one.user).await?;
            print::sessions(&users::list_sessions(&app, user.user_id, None, u32::MAX).await?, one.json)
        }
        Command::Delete { one, yes } => delete((&app, &by), &find(&app, &one.user).await?, yes, one.json).await,
        Command::Import(arguments) => {
            stopping::ignore_hangups()?;
            import::run(&app, &by, arguments).await
        }
        Command::Export(arguments) => export::run(&app, &by, arguments).await,
    }
}

async fn find(app: &App, target: &Target) -> Result<User, Failure> {
    Ok(match target {
        Target::Id(user_id) => users::get(app, *user_id).await?,
        Target::Email(email) => users::get_by_email(app, email).await?,
    })
}

async fn change_roles(app: &App, by: &Act, asked: Roles) -> Result<(), Failure> {
    let Roles { one, set, give, take } = asked;
    let user = find(app, &one.user).await?;
    let change = match set {
        Some(roles) => RolesChange::Exactly(roles),
        None => RolesChange::By { given: give.into_iter().collect(), taken: take.into_iter().collect() },
    };
    print::roles(&users::set_roles(app, by, user.user_id, change).await?, one.json)
}

async fn delete((app, by): (&App, &Act), user: &User, yes: bool, json: bool) -> Result<(), Failure> {
    if !yes && !confirmed(&format!("Delete {} and everything of theirs? Type `yes`: ", print::name(user)))? {
        return Err("nothing was deleted".into());
    }
    users::delete(app, by, user.user_id).await?;
    print::deleted(user, json)
}

/// Asks on the terminal.
fn confirmed(question: &str) -> Result<bool, Failure> {
    let mut terminal = io::stderr().lock();
    terminal.write_all(question.as_bytes())?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Target, roles, target};

    #[test]
    fn a_user_is_named_by_id_or_address() {
        assert!(matches!(target("01a20a4b-117e-744e-9811-ba963412635f").unwrap(), Target::Id(_)));
        assert!(
            matches!(target("Ann@Example.com").unwrap(), Target::Email(email) if email.as_str() == "ann@example.com")
        );
        target("ann").unwrap_err();
    }

    #[test]
    fn roles_are_separated_by_commas() {
        let names: Vec<_> = roles("support, admin,").unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["admin", "support"]);
        assert!(roles("").unwrap().is_empty());
        assert!(roles("Support").unwrap_err().contains("lower-case"));
    }
}
