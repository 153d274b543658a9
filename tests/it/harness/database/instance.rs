//! A PostgreSQL server of this process's own, for when `DATABASE_URL` names none: from installed programs, on a socket in a
//! temporary directory, as an unprivileged user.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Starts a server, says where it is, and waits for the end of its standard input, which comes with the end of this process,
/// however that ends; then leaves nothing behind.
const SUPERVISOR: &str = include_str!("instance.sh");

/// A running server.
#[derive(Debug)]
pub(super) struct Instance {
    socket_directory: String,
    // Keeps the supervisor's standard input open.
    _supervisor: Child,
}

impl Instance {
    /// Starts one and waits until it lets connections in.
    pub(super) fn start() -> Self {
        let programs =
            programs().expect("there is no PostgreSQL: install it, or set DATABASE_URL, or use deploy/dev test");
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "sh"]).arg(programs).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Out of reach of Ctrl-C, which ends this process, and with it the server in due order.
        command.process_group(0);
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            let (user, group) = nobody();
            command.uid(user).gid(group);
        }
        let mut supervisor = command.spawn().unwrap();
        let mut socket_directory = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut socket_directory).unwrap();
        if socket_directory.is_empty() {
            let mut complaint = String::new();
            supervisor.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
            panic!("PostgreSQL did not start: {complaint}");
        }
        Self { socket_directory: socket_directory.trim().to_owned(), _supervisor: supervisor }
    }

    /// Sends a signal to every process of the server, such as STOP, which freezes the server, and CONT.
    pub(super) fn signal(&self, signal: &str) {
        let pid_file = Path::new(&self.socket_directory).join("pid");
        let postmaster = std::fs::read_to_string(pid_file).unwrap().trim().to_owned();
        // The postmaster first, so that no process is started after they have been counted.
        send(signal, std::slice::from_ref(&postmaster));
        send(signal, &children_of(&postmaster));
    }

    /// How to connect to it.
    pub(super) fn url(&self) -> String {
        format!("postgres://keyward@{}/postgres", self.socket_directory.replace('/', "%2F"))
    }
}

fn send(signal: &str, processes: &[String]) {
    if !processes.is_empty() {
        // A process may have ended meanwhile, so the outcome does not matter.
        let _ = Command::new("sh").args(["-c", "kill -s \"$0\" \"$@\""]).arg(signal).args(processes).status().unwrap();
    }
}

fn children_of(parent: &str) -> Vec<String> {
    let processes =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let is_child = |process: &String| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|id| id.trim() == parent))
    };
    processes.filter(|process| process.bytes().all(|byte| byte.is_ascii_digit())).filter(is_child).collect()
}

/// The directory of the server's programs: of the first one on the path, or the latest of Debian's.
fn programs() -> Option<PathBuf> {
    let has_programs = |directory: &PathBuf| directory.join("initdb").exists() && directory.join("pg_ctl").exists();
    let path = std::env::var_os("PATH").unwrap_or_default();
    // What is on the path may be links, with the other programs where they point to.
    let linked = std::env::split_paths(&path).filter_map(|directory| directory.join("initdb").canonicalize().ok());
    let on_path = linked.filter_map(|program| program.parent().map(Path::to_owned)).find(has_programs);
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |entry: &std::fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
    let latest = versions.filter(|entry| has_programs(&entry.path().join("bin"))).max_by_key(version);
    on_path.or_else(|| latest.map(|entry| entry.path().join("bin")))
}

/// Whom the server runs as when this process is root's, as which PostgreSQL refuses to run.
pub(in crate::harness) fn nobody() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let nobody = users.lines().find_map(|line| line.strip_prefix("nobody:")).expect("there is no user `nobody`");
    let mut fields = nobody.split(':').skip(1).map(|field| field.parse().unwrap());
    (fields.next().unwrap(), fields.next().unwrap())
}
