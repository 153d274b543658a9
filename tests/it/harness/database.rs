//! A PostgreSQL database of its own for every test, copied from one with all migrations, and dropped at the end.

mod instance;
mod server;

pub(super) use instance::nobody;
use server::Server;
use tokio_postgres::Client;

use super::proxy::{Proxy, ProxyTarget};

/// A test's database.
pub(crate) struct Database {
    server: &'static Server,
    name: String,
    url: String,
}

impl Database {
    /// One with the whole schema and nothing in it but what the migrations put there.
    pub(crate) async fn create() -> Self {
        let server = Server::get().await;
        Self::of(server, server.copy_of_template().await)
    }

    /// One without any schema.
    pub(crate) async fn create_empty() -> Self {
        let server = Server::get().await;
        Self::of(server, server.empty_database().await)
    }

    /// One with the whole schema, on a server of its own that can be frozen. The server ends with the test's process.
    pub(crate) async fn on_own_server() -> Self {
        let server: &'static Server = Box::leak(Box::new(Server::own().await));
        Self::of(server, server.copy_of_template().await)
    }

    /// Stops every process of the server in the middle of what it does: connections stay open and are not answered.
    pub(crate) fn freeze(&self) {
        self.server.signal("STOP");
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self) {
        self.server.signal("CONT");
    }

    /// A proxy to the server, and how to connect to this database through the proxy.
    pub(crate) async fn proxied(&self) -> (Proxy, String) {
        let proxy = Proxy::to(self.proxy_target()).await;
        let url = self.server.url_at(&proxy.address().to_string(), &self.name);
        (proxy, url)
    }

    /// Where the server listens.
    pub(crate) fn proxy_target(&self) -> ProxyTarget {
        self.server.proxy_target()
    }

    /// One without any schema, in another encoding than UTF-8.
    pub(crate) async fn create_in_latin1() -> Self {
        let server = Server::get().await;
        Self::of(server, server.latin1_database().await)
    }

    /// How to connect to this database at other addresses (`HOST:PORT`, several with commas).
    pub(crate) fn url_at(&self, addresses: &str) -> String {
        self.server.url_at(addresses, &self.name)
    }

    /// Says whether new sessions of this database begin read-only, as those of a standby do. Those that are open stay as they are.
    pub(crate) async fn set_read_only(&self, read_only: bool) {
        let (admin, setting) = (self.server.admin().await, if read_only { "on" } else { "off" });
        let alter = format!("ALTER DATABASE {} SET default_transaction_read_only = {setting}", self.name);
        admin.batch_execute(&alter).await.unwrap();
    }

    fn of(server: &'static Server, name: String) -> Self {
        let url = server.url_of(&name);
        Self { server, name, url }
    }

    /// How to connect to it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A connection, to look into the tables, or to make what cannot be made from outside.
    pub(crate) async fn client(&self) -> Client {
        server::connect(&self.url).await
    }

    /// The database goes away: every connection is cut, and none is let in.
    pub(crate) async fn go_away(&self) {
        let admin = self.server.admin().await;
        admin.batch_execute(&format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", self.name)).await.unwrap();
        self.cut_connections().await;
    }

    /// The database lets connections in again.
    pub(crate) async fn come_back(&self) {
        let admin = self.server.admin().await;
        admin.batch_execute(&format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", self.name)).await.unwrap();
    }

    /// Ends every connection to it, as a restart does, and waits until they are gone. New ones are let in.
    pub(crate) async fn cut_connections(&self) {
        let cut = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = $1";
        self.server.admin().await.query(cut, &[&self.name]).await.unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server, std::mem::take(&mut self.name));
        // On a thread of its own, as this one is in the middle of a runtime. What cannot be dropped is dropped by a later run.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { server.drop_database(&name).await });
        });
        let _ = dropping.join();
    }
}

#[tokio::test]
async fn a_frozen_server_answers_again_once_it_has_thawed() {
    let database = Database::on_own_server().await;
    let (proxy, url) = database.proxied().await;
    let client = server::connect(&url).await;
    database.freeze();
    let answer = client.query_one("SELECT 1", &[]);
    let mut answer = std::pin::pin!(answer);
    assert!(futures::poll!(&mut answer).is_pending());
    assert!(tokio::time::timeout(std::time::Duration::from_millis(200), &mut answer).await.is_err(), "it is silent");
    database.thaw();
    answer.await.unwrap();
    assert_eq!(proxy.accepted(), 1);
}
