//! The command line: `keyward serve` and what goes with it.
//!
//! Exit codes: 0 stopped as asked, 1 could not start or failed, 2 wrong usage.

mod admin;
mod audit;
mod check_config;
mod cleanup;
mod descriptors;
mod health;
mod logging;
mod methods;
mod migrate;
mod network;
mod serve;
mod service_key;
mod shown;
mod signing_keys;
mod stopping;
mod users;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::stderr;

/// Why a command failed; printed with its causes.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A command that was called wrongly, where its arguments alone do not show it to their parser.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(&'static str);

/// A gRPC authentication service: registration, sessions, devices, limits and revocation.
#[derive(Debug, Parser)]
#[command(name = "keyward", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    /// A TOML file laid over the built-in defaults; the environment (`KEYWARD__SECTION__KEY`) is laid over both.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until it is told to stop (SIGTERM or SIGINT).
    Serve,
    /// Brings the database's schema up to date.
    Migrate,
    /// Checks the configuration and prints what is in force, secrets masked.
    CheckConfig,
    /// Prints who may call which method, as a Markdown table.
    Methods,
    /// Writes the descriptor set of the API, for gateways and generators.
    Descriptors(descriptors::Arguments),
    /// Asks a running service whether it can serve; exits with 1 when it cannot.
    Health(health::Arguments),
    /// Deletes what has expired, now rather than when `serve` does it next.
    Cleanup(cleanup::Arguments),
    /// Administrators.
    Admin {
        #[command(subcommand)]
        command: admin::Command,
    },
    /// Networks that are blocked, or allowed past throttles and lockouts.
    Network {
        #[command(subcommand)]
        command: network::Command,
    },
    /// Keys that internal services authenticate with.
    ServiceKey {
        #[command(subcommand)]
        command: service_key::Command,
    },
    /// Keys that sign access tokens.
    SigningKeys {
        #[command(subcommand)]
        command: signing_keys::Command,
    },
    /// Users: lists, suspension, roles, sessions, deletion, import and export.
    Users {
        #[command(subcommand)]
        command: users::Command,
    },
    /// The audit trail: who did what, from where and when.
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
}

/// Runs the command that the process's arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let code = match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(failure.as_ref());
            if failure.is::<WrongUsage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    };
    logging::flush();
    code
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let load = || Ok::<_, Failure>(Config::load(arguments.config.as_deref(), config::environment())?);
    match arguments.command {
        Command::Methods => methods::run(),
        Command::Descriptors(arguments) => descriptors::run(&arguments),
        Command::CheckConfig => {
            // The pool that it makes, to see whether it can, wants a runtime around it.
            block_on(async { check_config::run(&load()?) })
        }
        Command::Serve => block_on(serve::run(load)),
        Command::Migrate => block_on(migrate::run(load)),
        Command::Health(arguments) => block_on(health::run(load()?, arguments)),
        Command::Cleanup(arguments) => block_on(cleanup::run(load()?, arguments)),
        Command::Admin { command } => block_on(admin::run(load()?, command)),
        Command::Network { command } => block_on(network::run(load()?, command)),
        Command::ServiceKey { command } => block_on(service_key::run(load()?, command)),
        Command::SigningKeys { command } => block_on(signing_keys::run(load()?, command)),
        Command::Users { command } => block_on(users::run(load()?, command)),
        Command::Audit { command } => block_on(audit::run(load()?, command)),
    }
}

fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    // A command that was told to stop does not wait for a thread that is still busy, say with a migration.
    runtime.shutdown_background();
    outcome
}

/// Prints a failure with its causes on standard error; there is nobody left to tell when that fails.
fn report(failure: &(dyn std::error::Error + 'static)) {
    let mut text = format!("keyward: {failure}");
    let mut source = failure.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    let _nobody_listens = stderr::write((text + "\n").as_bytes());
}

/// Prints to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
