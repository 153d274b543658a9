//! A Redis of a test's own, to be looked into, stopped, killed and frozen. The program is that of `REDIS_SERVER`, or the first
//! `redis-server` or `valkey-server` on the path.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use super::within_patience;

/// A server on a loopback port.
pub(crate) struct RedisServer {
    port: u16,
    options: Vec<String>,
    directory: TempDir,
    running: Option<Child>,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// One with these options besides its own.
    pub(crate) async fn with(options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { port: free_port(), options, directory: tempfile::tempdir().unwrap(), running: None };
        server.start_again().await;
        server
    }

    /// How to connect to it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection to look into it.
    pub(crate) async fn client(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Starts it on the port that it had, with nothing in it.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.running.is_none(), "it is running");
        let mut command = Command::new(program());
        let port = self.port.to_string();
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
        command.args(&self.options).current_dir(self.directory.path()).stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(command.spawn().unwrap());
        let client = redis::Client::open(self.url()).unwrap();
        let answers = async { while client.get_multiplexed_async_connection().await.is_err() {} };
        within_patience("Redis to answer", answers).await;
    }

    /// Stops it in good order.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        self.running.take().unwrap().wait().unwrap();
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.running.take().unwrap().wait().unwrap();
    }

    /// Lets it do nothing, and keep its connections open.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let process = self.running.as_ref().expect("it is not running").id().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}

/// A loopback port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn program() -> PathBuf {
    let given = std::env::var_os("REDIS_SERVER").filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || {
        let mut candidates = std::env::split_paths(&path)
            .flat_map(|directory| ["redis-server", "valkey-server"].map(|name| directory.join(name)));
        candidates.find(|candidate| candidate.exists())
    };
    given.or_else(on_path).expect("there is no Redis: install it, or set REDIS_SERVER, or use deploy/dev test")
}
