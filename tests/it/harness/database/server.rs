//! The PostgreSQL server that the tests share: that of `DATABASE_URL`, or one that this process starts.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use keyward::config::Config;
use keyward::store::pg;
use tokio::sync::OnceCell;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::instance::Instance;
use crate::harness::proxy::ProxyTarget;

/// What the names of the tests' databases begin with; the time of their making, in seconds, comes next.
const PREFIX: &str = "keyward_test_";

/// How old a database is before it must be a killed run's.
const LEFT_OVER_AFTER_SECONDS: i64 = 3600;

/// The advisory lock of whoever makes the template: "kwtests" in ASCII.
const TEMPLATE_LOCK: i64 = 0x6b_7774_6573_7473;

/// A server with a template of the current migrations.
#[derive(Debug)]
pub(super) struct Server {
    /// The database to connect to for making and dropping others.
    url: String,
    template: String,
    instance: Option<Instance>,
}

impl Server {
    /// The server of this process's tests.
    pub(super) async fn get() -> &'static Self {
        static SERVER: OnceCell<Server> = OnceCell::const_new();
        SERVER.get_or_init(Self::prepare).await
    }

    async fn prepare() -> Self {
        let given = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        match given {
            Some(url) => Self::with_template(url, None).await,
            None => Self::own().await,
        }
    }

    /// A server that this process starts for one test.
    pub(super) async fn own() -> Self {
        let instance = Instance::start();
        Self::with_template(instance.url(), Some(instance)).await
    }

    async fn with_template(url: String, instance: Option<Instance>) -> Self {
        let server = Self { url, template: format!("keyward_template_{:016x}", hash_of_migrations()), instance };
        server.make_template().await;
        server
    }

    /// Sends a signal to every process of a server of this process's own.
    pub(super) fn signal(&self, signal: &str) {
        self.instance.as_ref().expect("the server is shared with other tests").signal(signal);
    }

    /// Makes the template unless another test process has, and drops what killed ones have left.
    async fn make_template(&self) {
        let admin = self.admin().await;
        // Held until the connection closes.
        admin.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK]).await.unwrap();
        let limit = now(&admin).await - LEFT_OVER_AFTER_SECONDS;
        for row in admin.query("SELECT datname FROM pg_database", &[]).await.unwrap() {
            let name: String = row.get(0);
            if made_at(&name).is_some_and(|made_at| made_at < limit) {
                self.drop_database(&name).await;
            }
        }
        let exists = "SELECT FROM pg_database WHERE datname = $1";
        if admin.query_opt(exists, &[&self.template]).await.unwrap().is_some() {
            return;
        }
        // Under another name until it is whole.
        let unfinished = self.empty_database().await;
        let config = Config::load(None, [("DATABASE_URL".to_owned(), self.url_of(&unfinished))]).unwrap();
        // Migrations need a runtime of several threads, and tests have one of one.
        let migrating = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(pg::migrate(config.database_url().unwrap(), &config.database)).unwrap();
        });
        migrating.await.unwrap();
        let rename = format!("ALTER DATABASE {unfinished} RENAME TO {}", self.template);
        admin.batch_execute(&rename).await.unwrap();
    }

    /// Makes a database with all migrations; returns its name.
    pub(super) async fn copy_of_template(&self) -> String {
        self.create(&format!("TEMPLATE {}", self.template)).await
    }

    /// Makes a database with nothing in it; returns its name.
    pub(super) async fn empty_database(&self) -> String {
        self.create("TEMPLATE template0").await
    }

    /// Makes a database with nothing in it that cannot hold all of Unicode; returns its name.
    pub(super) async fn latin1_database(&self) -> String {
        self.create("TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'").await
    }

    async fn create(&self, options: &str) -> String {
        let admin = self.admin().await;
        let name = format!("{PREFIX}{}_{}", now(&admin).await, Uuid::new_v4().simple());
        admin.batch_execute(&format!("CREATE DATABASE {name} {options}")).await.unwrap();
        name
    }

    /// Drops a database, with every connection to it.
    pub(super) async fn drop_database(&self, name: &str) {
        self.admin().await.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
    }

    /// The URL of one of its databases.
    pub(super) fn url_of(&self, database: &str) -> String {
        let (address, parameters) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (server, _) = address.rsplit_once('/').expect("DATABASE_URL names no database");
        format!("{server}/{database}?{parameters}")
    }

    /// The URL of one of its databases at other addresses.
    pub(super) fn url_at(&self, addresses: &str, database: &str) -> String {
        let url = self.url_of(database);
        let (scheme, rest) = url.split_once("://").expect("DATABASE_URL is no URL");
        let (authority, path) = rest.split_once('/').expect("DATABASE_URL names no database");
        match authority.rsplit_once('@') {
            Some((credentials, _)) => format!("{scheme}://{credentials}@{addresses}/{path}"),
            None => format!("{scheme}://{addresses}/{path}"),
        }
    }

    /// Where it listens.
    pub(super) fn proxy_target(&self) -> ProxyTarget {
        let config: tokio_postgres::Config = self.url.parse().unwrap();
        let port = config.get_ports().first().copied().unwrap_or(5432);
        match config.get_hosts().first().expect("DATABASE_URL names no host") {
            Host::Tcp(host) => ProxyTarget::Tcp(format!("{host}:{port}")),
            Host::Unix(directory) => ProxyTarget::Unix(directory.join(format!(".s.PGSQL.{port}"))),
        }
    }

    /// A connection for making and dropping databases.
    pub(super) async fn admin(&self) -> Client {
        connect(&self.url).await
    }
}

/// A connection that closes when its client is dropped.
pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The server's time, in seconds since 1970.
async fn now(client: &Client) -> i64 {
    client.query_one("SELECT extract(epoch FROM now())::bigint", &[]).await.unwrap().get(0)
}

/// When a test's database was made; nothing for other databases.
fn made_at(name: &str) -> Option<i64> {
    name.strip_prefix(PREFIX)?.split_once('_')?.0.parse().ok()
}

/// What the template depends on: every file of every migration.
fn hash_of_migrations() -> u64 {
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let scripts = folders.map(|folder| (folder.clone(), std::fs::read(folder.join("up.sql")).unwrap()));
    let scripts: BTreeMap<_, _> = scripts.map(|(folder, sql)| (folder.file_name().unwrap().to_owned(), sql)).collect();
    let mut hasher = DefaultHasher::new();
    scripts.hash(&mut hasher);
    hasher.finish()
}
