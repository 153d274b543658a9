//! The program itself, as a service manager runs it: its output is read line by line, and it gets signals.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::settings::Settings;
use super::within_patience;

/// A running `keyward`; killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    lines: UnboundedReceiver<String>,
    /// Everything that it has said so far.
    said: Vec<String>,
}

impl Program {
    /// Starts it with these settings and arguments. It has the machine's clock.
    pub(crate) fn start(settings: &Settings, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command.args(arguments).env_clear().envs(settings.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = unbounded_channel();
        read_lines(child.stdout.take().unwrap(), sender.clone());
        read_lines(child.stderr.take().unwrap(), sender);
        Self { child, lines, said: Vec::new() }
    }

    /// Waits until it says, on either output, something that contains `text`; returns that line.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        let says = async {
            loop {
                let line = self.lines.recv().await?;
                self.said.push(line.clone());
                if line.contains(text) {
                    return Some(line);
                }
            }
        };
        let line = within_patience(&format!("the program to say {text:?}"), says).await;
        line.unwrap_or_else(|| panic!("it ended without saying {text:?}, but {:#?}", self.said))
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits for its end. Returns what it exits with, which is nothing when a signal has ended it, and all that it has said.
    pub(crate) async fn ends(mut self) -> (Option<i32>, String) {
        let ends = async {
            while let Some(line) = self.lines.recv().await {
                self.said.push(line);
            }
        };
        within_patience("the program to end", ends).await;
        (self.child.wait().unwrap().code(), self.said.join("\n"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(output: impl Read + Send + 'static, lines: UnboundedSender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // The test may have ended.
            let _ = lines.send(line);
        }
    });
}
