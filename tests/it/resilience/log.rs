//! A log that nobody reads, or nobody can write: the service goes on, counts what is missing, and says so.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Stdio};

use keyward::proto::keyward::v1::GetOriginRequest;
use keyward::proto::keyward::v1::session_service_client::SessionServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::admin::program::program;
use crate::harness::{Database, Settings, free_port, within_patience};
use crate::interceptors::{body, get};

/// How many calls are made at a time, of some lines each.
const MANY: usize = 400;

/// A running `keyward serve` whose log is in the hands of the test; killed when it is dropped.
struct Service {
    child: Child,
    http: SocketAddr,
    channel: Channel,
    // Its database, which it outlives by nothing.
    _database: Database,
}

impl Service {
    async fn start(filter: &str, log: Stdio) -> Self {
        let database = Database::create().await;
        let http: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let settings = Settings::default()
            .set("database.url", database.url())
            .set("mail.transport", "log")
            .set("server.http_listen", &http.to_string())
            .set("log.filter", filter);
        let mut command = program(&settings, &["serve"]);
        let mut child = command.stderr(log).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let reading = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line
        });
        let line = within_patience("the program to serve", reading).await.unwrap();
        let address = line.trim_end().strip_prefix("listening on ").expect("it does not say where it listens");
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { child, http, channel, _database: database }
    }

    /// Calls it often enough to fill whatever holds its log.
    async fn call_often(&self) {
        let mut client = SessionServiceClient::new(self.channel.clone());
        let calls = async {
            for _ in 0..MANY {
                client.get_origin(GetOriginRequest {}).await.unwrap();
            }
        };
        within_patience("the calls to be answered", calls).await;
    }

    async fn dropped_lines(&self) -> u64 {
        let metrics = body(self.http, "/metrics").await;
        let counter = metrics.lines().find_map(|line| line.strip_prefix("keyward_log_lines_dropped_total "));
        counter.unwrap().parse().unwrap()
    }

    /// Calls it until lines of its log are dropped.
    async fn fill(&self) {
        while self.dropped_lines().await == 0 {
            self.call_often().await;
        }
        // Every path and every job that writes a line still goes on.
        self.call_often().await;
        assert_eq!(get(self.http, "/readyz").await, "HTTP/1.1 200 OK");
        assert_eq!(get(self.http, "/healthz").await, "HTTP/1.1 200 OK");
    }

    /// Stops it as a service manager does, and returns its exit code.
    async fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut child = std::mem::replace(&mut self.child, std::process::Command::new("true").spawn().unwrap());
        let waiting = tokio::task::spawn_blocking(move || child.wait().unwrap());
        within_patience("the program to end", waiting).await.unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_log_that_is_not_read_holds_nothing_up_and_says_what_is_missing_once_it_is_read() {
    let mut service = Service::start("trace", Stdio::piped()).await;
    service.fill().await;

    // The reader is back: it finds what waited, and a line about what did not.
    let log = service.child.stderr.take().unwrap();
    let reading = tokio::task::spawn_blocking(|| line_of_dropped(log));
    let line = within_patience("the log to say what is missing", reading).await.unwrap();
    assert!(line.starts_with('{') && line.contains("\"level\":\"WARN\""), "{line}");
    assert_eq!(get(service.http, "/readyz").await, "HTTP/1.1 200 OK");
}

fn line_of_dropped(log: ChildStderr) -> String {
    let mut lines = BufReader::new(log).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("log lines were dropped")).unwrap();
    // What comes after is read as well, so that the service is not stuck again before the test has looked at it.
    std::thread::spawn(|| lines.for_each(drop));
    line
}

#[tokio::test]
async fn a_log_that_is_not_read_does_not_keep_the_service_from_stopping() {
    let service = Service::start("trace", Stdio::piped()).await;
    service.fill().await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test]
async fn a_log_whose_reader_is_gone_is_counted_as_dropped() {
    let mut service = Service::start("info", Stdio::piped()).await;
    drop(service.child.stderr.take());
    service.fill().await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test]
async fn a_log_on_a_full_disk_is_counted_as_dropped() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let service = Service::start("info", full.into()).await;
    service.fill().await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test]
async fn what_is_buffered_at_the_end_is_written() {
    let mut service = Service::start("info", Stdio::piped()).await;
    service.call_often().await;
    let mut log = service.child.stderr.take().unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(service.stop().await, Some(0));
    let text = within_patience("the end of the log", reading).await.unwrap();
    assert!(text.lines().last().unwrap().contains("the service has stopped"), "{text}");
}
