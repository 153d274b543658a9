//! Connections to one Redis, or to a cluster, as the URL says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bb8_redis::bb8::ManageConnection;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, RedisResult, ScriptInvocation};
use secrecy::{ExposeSecret, SecretString};

use super::RedisInvalid;
use crate::certificates;
use crate::config::RedisUrl;

/// How long a connection may take to open, which no call waits for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How many calls in a row get no answer before no open connection is used any more.
const SILENCES: u32 = 3;

/// Opens connections.
#[derive(Clone)]
pub(super) struct Connector {
    target: Target,
    /// Counts the failures of connections; one that was opened before the last of them is not used again.
    era: Arc<AtomicU64>,
    /// How many calls in a row got no answer in time.
    silences: Arc<AtomicU32>,
}

#[derive(Clone)]
enum Target {
    One(Arc<Client>),
    Cluster(Arc<ClusterClient>),
}

/// An open connection.
pub(super) struct Connection {
    pub(super) link: Link,
    /// Whether it is to be thrown away.
    pub(super) is_broken: bool,
    /// The era that it was opened in.
    pub(super) era: u64,
}

/// The way to one Redis, or to all nodes of a cluster.
pub(super) enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads the URL. Several, separated by commas, are nodes of one cluster, as is one with `?cluster=true`.
    pub(super) fn new(url: &SecretString) -> Result<Self, RedisInvalid> {
        let RedisUrl { nodes, is_cluster, is_encrypted } = RedisUrl::parse(url.expose_secret())?;
        if is_encrypted {
            // The client reads them anew for each connection, of which nobody would hear that it cannot.
            certificates::trusted()?;
        }
        let target = match nodes.as_slice() {
            [url] if !is_cluster => Client::open(url.expose_secret()).map(|client| Target::One(Arc::new(client))),
            nodes => {
                let nodes = nodes.iter().map(|node| node.expose_secret().to_owned());
                ClusterClient::builder(nodes)
                    .connection_timeout(CONNECT_TIMEOUT)
                    // The caller has a clock of its own, and memory to turn to.
                    .retries(1)
                    .build()
                    .map(|client| Target::Cluster(Arc::new(client)))
            }
        };
        let target = target.map_err(RedisInvalid::Client)?;
        Ok(Self { target, era: Arc::default(), silences: Arc::default() })
    }

    /// Whether a connection is from before the last failure.
    pub(super) fn is_outdated(&self, connection: &Connection) -> bool {
        connection.era < self.era.load(Ordering::Acquire)
    }

    /// Lets no connection be used that is as old as one that broke, or older: most likely all broke. Those that were opened since
    /// are left alone.
    pub(super) fn outdate(&self, era: u64) {
        self.era.fetch_max(era.saturating_add(1), Ordering::AcqRel);
    }

    /// Notes that a call was answered.
    pub(super) fn note_answer(&self) {
        self.silences.store(0, Ordering::Relaxed);
    }

    /// Notes that a call was not answered in time. One slow answer is no reason to open all connections anew, but many are.
    pub(super) fn note_silence(&self) {
        if self.silences.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= SILENCES {
            self.silences.store(0, Ordering::Relaxed);
            self.era.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// What a connection is to do.
#[derive(Clone, Copy)]
pub(super) enum Work<'a> {
    /// One command.
    Query(&'a redis::Cmd),
    /// A script, loaded when the server does not have it.
    Invoke(&'a ScriptInvocation<'a>),
}

impl Link {
    pub(super) async fn run<T: FromRedisValue>(&mut self, work: Work<'_>) -> RedisResult<T> {
        match (self, work) {
            (Self::One(connection), Work::Query(command)) => command.query_async(connection).await,
            (Self::One(connection), Work::Invoke(script)) => script.invoke_async(connection).await,
            (Self::Cluster(connection), Work::Query(command)) => command.query_async(connection).await,
            (Self::Cluster(connection), Work::Invoke(script)) => script.invoke_async(connection).await,
        }
    }
}

impl ManageConnection for Connector {
    type Connection = Connection;
    type Error = RedisError;

    async fn connect(&self) -> RedisResult<Connection> {
        let era = self.era.load(Ordering::Acquire);
        let link = match &self.target {
            Target::One(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    // The whole of a call is timed, by whoever makes it.
                    .set_response_timeout(None);
                Link::One(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Target::Cluster(client) => Link::Cluster(client.get_async_connection().await?),
        };
        Ok(Connection { link, is_broken: false, era })
    }

    async fn is_valid(&self, connection: &mut Connection) -> RedisResult<()> {
        connection.link.run(Work::Query(&redis::cmd("PING"))).await
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_broken
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Connector, Ordering, SILENCES, Target};

    #[test]
    fn one_slow_answer_throws_no_connection_away_and_three_in_a_row_throw_all() {
        let connector = Connector::new(&"redis://127.0.0.1".into()).unwrap();
        let era = || connector.era.load(Ordering::Relaxed);
        for _ in 0..10 {
            (1..SILENCES).for_each(|_| connector.note_silence());
            connector.note_answer();
        }
        assert_eq!(era(), 0);
        (0..SILENCES).for_each(|_| connector.note_silence());
        assert_eq!(era(), 1);
        // Connections of one era break one after another.
        (0..5).for_each(|_| connector.outdate(1));
        assert_eq!(era(), 2);
    }

    fn is_cluster(url: &str) -> bool {
        matches!(Connector::new(&url.into()).unwrap().target, Target::Cluster(_))
    }

    #[test]
    fn the_url_says_whether_there_is_a_cluster() {
        assert!(!is_cluster("redis://:secret@127.0.0.1:6379/3"));
        assert!(is_cluster("redis://127.0.0.1:7000?cluster=true"));
        assert!(is_cluster("redis://127.0.0.1:7000, redis://127.0.0.1:7001"));
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_and_not_shown() {
        let error = Connector::new(&"redis://:hunter2@host:port".into()).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
