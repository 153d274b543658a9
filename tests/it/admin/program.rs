//! The program itself, run to its end as an operator does.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::harness::{Settings, within_patience};

/// What a run of the program has left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `keyward` with these settings and arguments, `input` being what it reads. It has the machine's clock.
pub(crate) async fn keyward(settings: &Settings, arguments: &[&str], input: &str) -> Ran {
    let mut command = program(settings, arguments);
    let (input, mut child) = (input.to_owned(), command.spawn().unwrap());
    let running = tokio::task::spawn_blocking(move || {
        // It may end without having read everything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    });
    let Output { status, stdout, stderr } = within_patience("the program to end", running).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// `keyward` with these settings and arguments, ready to run.
pub(crate) fn program(settings: &Settings, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(settings.environment());
    command
}
