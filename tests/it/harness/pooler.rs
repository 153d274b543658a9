//! A PgBouncer of a test's own, in front of the tests' PostgreSQL. The program is that of `PGBOUNCER`, or the first `pgbouncer`
//! on the path or among the system's programs.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_postgres::config::Host;

use super::database::{Database, nobody};
use super::redis::free_port;
use super::within_patience;

/// A running pooler; killed when it is dropped.
pub(crate) struct Pooler {
    child: Child,
    port: u16,
    /// Whether it carries prepared statements from one server connection to the next.
    pub(crate) carries_statements: bool,
    _home: TempDir,
}

impl Pooler {
    /// Starts one in front of the server of `database`, which lends server connections by `mode` (`transaction` or
    /// `session`) and carries no prepared statements, and waits until it listens.
    pub(crate) async fn start(database: &Database, mode: &str) -> Self {
        Self::with(database, mode, 0).await
    }

    /// One by transaction that carries prepared statements, if its version can.
    pub(crate) async fn carrying_statements(database: &Database) -> Self {
        Self::with(database, "transaction", 100).await
    }

    async fn with(database: &Database, mode: &str, statements: u32) -> Self {
        let (program, home, port) = (program(), tempfile::tempdir().unwrap(), free_port());
        // Older ones do not know the key, nor prepared statements.
        let knows_statements = version(&program) >= (1, 21);
        let carries_statements = knows_statements && statements > 0;
        let statements =
            if knows_statements { format!("max_prepared_statements = {statements}") } else { String::new() };
        let settings = format!(
            "[databases]\n* = {}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 4\n{statements}\n",
            server_of(database.url())
        );
        let file = home.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(&program);
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It refuses to run as root.
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            let (user, group) = nobody();
            for path in [home.path(), &file] {
                std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
            }
            command.uid(user).gid(group);
        }
        let pooler = Self { child: command.spawn().unwrap(), port, carries_statements, _home: home };
        let listens = async { while TcpStream::connect(("127.0.0.1", port)).await.is_err() {} };
        within_patience("PgBouncer to listen", listens).await;
        pooler
    }

    /// How to connect to a database through it.
    pub(crate) fn url(&self, database: &Database) -> String {
        format!("postgres://keyward@127.0.0.1:{}/{}", self.port, database.name())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the server is and who connects to it, as PgBouncer wants it.
fn server_of(url: &str) -> String {
    let config: tokio_postgres::Config = url.parse().unwrap();
    let host = match config.get_hosts().first().expect("DATABASE_URL names no host") {
        Host::Tcp(name) => name.clone(),
        Host::Unix(directory) => directory.display().to_string(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let user = config.get_user().expect("DATABASE_URL names no user");
    let password = config.get_password().map(|password| String::from_utf8(password.to_vec()).unwrap());
    let password = password.map(|password| format!(" password='{}'", password.replace('\'', "''")));
    format!("host={host} port={port} user={user}{}", password.unwrap_or_default())
}

fn program() -> PathBuf {
    let given = std::env::var_os("PGBOUNCER").filter(|given| !given.is_empty()).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = [Path::new("/usr/sbin").to_owned(), Path::new("/usr/local/sbin").to_owned()];
    let on_path = std::env::split_paths(&path).chain(system).map(|directory| directory.join("pgbouncer"));
    given
        .or_else(|| on_path.into_iter().find(|program| program.exists()))
        .expect("there is no PgBouncer: install it, or set PGBOUNCER, or use deploy/dev test")
}

fn version(program: &Path) -> (u32, u32) {
    let said = Command::new(program).arg("--version").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let number = said.split_whitespace().nth(1).expect("PgBouncer says no version");
    let mut parts = number.split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}
