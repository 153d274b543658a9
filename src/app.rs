//! Everything that a call may need, built once: the only place that makes pools, keys, the hasher and the mailer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::database::{self, DatabaseUnusable};
use crate::flows;
use crate::flows::audit::{HeldEvents, Trail};
use crate::flows::health::DatabaseHealth;
use crate::flows::limits::LimitRules;
use crate::flows::networks::Networks;
use crate::flows::roles::CopiedPermissions;
use crate::flows::service_keys::{KeyUses, ServiceKeys};
use crate::flows::signing_keys::{Keeping, SigningKeys};
use crate::hashing::{Hasher, HasherInvalid};
use crate::mail::{MailError, Mailer};
use crate::metrics::Metrics;
use crate::store::limits::{Limits, RedisInvalid};
use crate::store::pg::{ConnectError, Pool};
use crate::token::cache::VerifiedTokens;
use crate::token::keys::KeyRing;
use crate::token::master::{CryptoError, Master};
use crate::token::revocations::Revocations;

/// How many connections the jobs have to themselves, so that no load of requests can starve the feeds.
const JOB_CONNECTIONS: u32 = 6;

/// The service's parts.
#[derive(Debug)]
pub struct App {
    /// The configuration, validated.
    pub config: Config,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
    /// The database, for requests.
    pub pool: Pool,
    /// The database, for jobs.
    pub job_pool: Pool,
    /// Answer to the last probe of the database.
    pub database_health: DatabaseHealth,
    /// What is derived from the master key.
    pub master: Master,
    /// The keys that sign and verify access tokens.
    pub keys: KeyRing,
    /// How far the ring has followed the keys that are stored.
    pub signing_keys: SigningKeys,
    /// The keys that internal services authenticate with.
    pub service_keys: ServiceKeys,
    /// What these were used for of late.
    pub key_uses: KeyUses,
    /// Access tokens verified before.
    pub verified_tokens: VerifiedTokens,
    /// Sessions whose access tokens must be refused.
    pub revocations: Revocations,
    /// What each role may do.
    pub permissions: CopiedPermissions,
    /// The networks that are blocked or allowed.
    pub networks: Networks,
    /// What throttles and lockouts have counted.
    pub limits: Limits,
    /// What they allow.
    pub limit_rules: LimitRules,
    /// The password pool.
    pub hasher: Hasher,
    /// The way out for mail.
    pub mailer: Mailer,
    /// Told when there is mail in the outbox.
    pub outbox_filled: Notify,
    /// How far the audit trail can be followed.
    pub trail: Trail,
    /// Audit events that are held in memory.
    pub held_events: HeldEvents,
    /// Cancelled when the service is told to stop: calls end by themselves, streams have to be ended.
    pub draining: CancellationToken,
    /// What goes on after its call has been answered or given up; waited for when the service stops.
    pub tasks: TaskTracker,
    /// What is told to Prometheus.
    pub metrics: Metrics,
}

/// Why the service could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database URL cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The Redis URL cannot be used.
    #[error(transparent)]
    Redis(#[from] RedisInvalid),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseUnusable),
    /// A cryptographic primitive failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The password pool cannot be made.
    #[error("the password pool could not be started")]
    Hasher(#[source] HasherInvalid),
    /// Mail cannot be sent as configured.
    #[error("mail cannot be sent as configured")]
    Mail(#[source] MailError),
    /// What must be in memory before the first call could not be loaded.
    #[error("could not load what the service needs to start")]
    Load(#[source] crate::error::Error),
}

/// Whether the parts take the configuration, as far as that shows without a connection.
///
/// # Errors
/// What `App::start` would fail with.
pub fn check(config: &Config) -> Result<(), StartError> {
    Master::new(config.master_keys()?)?;
    Pool::new(config.database_url()?, &config.database, JOB_CONNECTIONS)?;
    Limits::new(&config.throttle, &config.redis, Duration::ZERO)?;
    Hasher::new(&config.passwords).map_err(StartError::Hasher)?;
    Mailer::new(&config.mail).map_err(StartError::Mail)?;
    Ok(())
}

/// Who puts an [`App`] together.
#[derive(Clone, Copy, Debug)]
enum ProcessRole {
    /// `keyward serve`, which makes signing keys and lets them take turns.
    Service,
    /// Any other command.
    Command,
}

impl App {
    /// Puts the service together and loads what checks need in memory: signing keys, service keys, permissions, live
    /// revocations, network rules.
    ///
    /// # Errors
    /// When a setting is missing or senseless, or the database cannot be read.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StartError> {
        // In a box, because the future is large.
        Box::pin(Self::build(config, clock, ProcessRole::Service)).await
    }

    /// Puts together what a command needs, which is the same, but leaves the signing keys as they are.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn for_command(config: Config, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StartError> {
        Box::pin(Self::build(config, clock, ProcessRole::Command)).await
    }

    async fn build(config: Config, clock: Arc<dyn Clock>, role: ProcessRole) -> Result<Arc<Self>, StartError> {
        let master = Master::new(config.master_keys()?)?;
        let url = config.database_url()?;
        database::require_schema(&config).await?;
        let pool = Pool::new(url, &config.database, config.database.max_connections.get())?;
        let job_pool = pool.sibling(JOB_CONNECTIONS);
        let limit_rules = LimitRules::new(&config);
        let limits = Limits::new(&config.throttle, &config.redis, limit_rules.longest())?;
        let hasher = Hasher::new(&config.passwords).map_err(StartError::Hasher)?;
        let mailer = Mailer::new(&config.mail).map_err(StartError::Mail)?;
        let held_events = HeldEvents::new(&config.audit);
        let now = clock.now();
        let keeping = Keeping { pool: &job_pool, master: &master, settings: &config.tokens, insist: false };
        let keys = match role {
            ProcessRole::Service => flows::signing_keys::load(keeping, now).await,
            ProcessRole::Command => flows::signing_keys::load_unchanged(keeping, now).await,
        };
        let keys = keys.map_err(StartError::Load)?;
        let app = Arc::new(Self {
            config,
            clock,
            pool,
            job_pool,
            database_health: DatabaseHealth::default(),
            master,
            keys: KeyRing::new(keys),
            signing_keys: SigningKeys::default(),
            service_keys: ServiceKeys::default(),
            key_uses: KeyUses::default(),
            verified_tokens: VerifiedTokens::default(),
            revocations: Revocations::default(),
            permissions: CopiedPermissions::default(),
            networks: Networks::default(),
            limits,
            limit_rules,
            hasher,
            mailer,
            outbox_filled: Notify::new(),
            trail: Trail::default(),
            held_events,
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
            metrics: Metrics::default(),
        });
        flows::revocations::follow(&app, &mut flows::revocations::Position::default())
            .await
            .map_err(StartError::Load)?;
        flows::networks::follow(&app).await.map_err(StartError::Load)?;
        flows::signing_keys::follow(&app).await.map_err(StartError::Load)?;
        flows::service_keys::follow(&app).await.map_err(StartError::Load)?;
        flows::roles::follow(&app).await.map_err(StartError::Load)?;
        // Readiness is told from the first moment. What is not well here, the job tells.
        let _ = flows::health::probe(&app).await;
        // The first calls find a connection; if there is none to be had, they find memory.
        app.limits.probe(now).await;
        Ok(app)
    }
}
