//! The program itself, as a service manager runs it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

use crate::harness::within_patience;

/// A running `keyward serve`; killed when it is dropped.
pub(crate) struct Process {
    child: Option<Child>,
    address: String,
}

impl Process {
    /// Starts one on a database that nobody has used yet, with a master key of its own.
    pub(super) async fn start(database_url: &str) -> Self {
        Self::with(database_url, &[], None).await
    }

    /// Starts one with these variables, and with a limit of open files.
    pub(crate) async fn with(database_url: &str, variables: &[(&str, &str)], open_files: Option<u32>) -> Self {
        let master_key: Vec<u8> = [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect();
        let mut command = Command::new("/bin/sh");
        let limited = open_files.map(|limit| format!("ulimit -n {limit} && ")).unwrap_or_default();
        command.args(["-c", &format!("{limited}exec \"$0\" serve"), env!("CARGO_BIN_EXE_keyward")]);
        command.env_clear().stdout(Stdio::piped()).stderr(Stdio::null());
        command.env("DATABASE_URL", database_url).env("KEYWARD_MASTER_KEY", STANDARD.encode(master_key));
        command.env("KEYWARD__SERVER__LISTEN", "127.0.0.1:0").env("KEYWARD__SERVER__HTTP_LISTEN", "127.0.0.1:0");
        // A stop that waits for it instead of the calls would go unnoticed if it were short.
        command.env("KEYWARD__SERVER__SHUTDOWN_GRACE", "10m");
        command.envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let reading = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line
        });
        let line = within_patience("the program to serve", reading).await.unwrap();
        let address =
            line.trim_end().strip_prefix("listening on ").expect("it does not say where it listens").to_owned();
        Self { child: Some(child), address }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.parse().unwrap()
    }

    pub(super) fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }

    pub(super) fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// What it ends with; nothing when a signal has ended it.
    pub(super) async fn exit_code(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let waiting = tokio::task::spawn_blocking(move || child.wait().unwrap());
        within_patience("the program to end", waiting).await.unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
