//! The keys that sign access tokens: one signs, one is published to sign next, and those before verify for a while.
//!
//! They are in Postgres, sealed, and every replica has them on its [ring](ring); whoever changes them does so alone.

mod list;
mod revoke;
mod ring;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{audit, clocks};
use crate::app::App;
use crate::config::{Algorithm, Tokens};
use crate::error::Error;
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::policy::signing::{self, Active, Due, Next};
use crate::store::pg::feed_versions::{self, Feed};
use crate::store::pg::signing_keys::{self, StoredKey};
use crate::store::pg::{Connection, Pool};
use crate::token::access;
use crate::token::keys::{self, Keys, NewKey};
use crate::token::master::Master;

pub use crate::store::pg::signing_keys::KeyState;
pub use list::{KnownKey, list_after};
pub use ring::{SigningKeys, be_fresh, follow, is_due, look_up};

/// What changing the keys needs.
#[derive(Clone, Copy, Debug)]
pub struct Keeping<'a> {
    /// The database.
    pub pool: &'a Pool,
    /// What seals them.
    pub master: &'a Master,
    /// Which algorithm they are of, and how long each signs.
    pub settings: &'a Tokens,
    /// Whether keys of another algorithm have to go. When a server starts alone: replicas whose settings differ, as in a
    /// roll-out, would never come to rest, and a command at some terminal is not asked.
    pub insist: bool,
}

impl Keeping<'_> {
    /// The one algorithm that will do, if any other will not.
    const fn only(&self) -> Option<&'static str> {
        if self.insist { Some(keys::name(self.settings.algorithm)) } else { None }
    }

    fn due(&self, stored: &[StoredKey], now: DateTime<Utc>) -> Due {
        due(stored, self.only(), self.settings, now)
    }
}

/// Makes what is missing and due, then opens the keys: at start, before there is an [`App`].
///
/// # Errors
/// When the database fails, or a key was sealed under a master key that is not given.
pub async fn load(keeping: Keeping<'_>, now: DateTime<Utc>) -> Result<Keys, Error> {
    keep(keeping, now).await?;
    ring::open(&signing_keys::find_all(&mut *keeping.pool.get().await?, now).await?, keeping.master)
}

/// Opens the keys as they are, for commands: only the service changes them. Makes the first keys where there are none.
///
/// # Errors
/// As [`load`].
pub async fn load_unchanged(keeping: Keeping<'_>, now: DateTime<Utc>) -> Result<Keys, Error> {
    let stored = signing_keys::find_all(&mut *keeping.pool.get().await?, now).await?;
    if active_since(&stored).is_some() { ring::open(&stored, keeping.master) } else { load(keeping, now).await }
}

/// Makes what is missing and due; of several replicas at once, one does.
///
/// # Errors
/// A failure of ours.
pub async fn keep(keeping: Keeping<'_>, now: DateTime<Utc>) -> Result<(), Error> {
    let stored = signing_keys::find_all(&mut *keeping.pool.get().await?, now).await?;
    if keeping.due(&stored, now) != Due::Nothing {
        change(keeping, &Act::system(), now, |stored| keeping.due(stored, now)).await?;
    }
    Ok(())
}

/// Rotates at once, due or not, and returns all keys, the newest first. With `revoke_existing` the keys that there are verify
/// nothing from then on, and new ones take their place.
///
/// # Errors
/// A failure of ours.
pub async fn rotate(app: &App, by: &Act, revoke_existing: bool) -> Result<Vec<KnownKey>, Error> {
    let now = app.clock.now();
    let keeping = Keeping { pool: &app.pool, master: &app.master, settings: &app.config.tokens, insist: false };
    if revoke_existing {
        revoke::revoke_all(keeping, by, now).await?;
    } else {
        change(keeping, by, now, |_| Due::Rotation).await?;
    }
    ring::take_in(app).await;
    list_after(app, None).await
}

fn active_since(stored: &[StoredKey]) -> Option<DateTime<Utc>> {
    stored.iter().find(|key| key.state == KeyState::Active).map(|key| key.active_at)
}

fn due(stored: &[StoredKey], only: Option<&str>, settings: &Tokens, now: DateTime<Utc>) -> Due {
    let find = |state| stored.iter().find(move |key| key.state == state);
    let fits = |key: &StoredKey| only.is_none_or(|only| key.algorithm == only);
    let active = find(KeyState::Active).map(|key| Active { fits: fits(key), since: key.active_at });
    let next = find(KeyState::Next).map(|key| Next { fits: fits(key), since: key.created_at });
    signing::due(active, next, settings.signing_key_rotation, now)
}

/// Does what `decide` says of the keys as they are when nobody else can change them.
async fn change(
    keeping: Keeping<'_>,
    by: &Act,
    now: DateTime<Utc>,
    decide: impl Fn(&[StoredKey]) -> Due,
) -> Result<(), Error> {
    // Made before anything is locked: it may take its time.
    let [spare, next] = generate(keeping.settings.algorithm).await?;
    let mut tx = keeping.pool.begin().await?;
    let outcome: Result<(), Error> = async {
        // Of a wrong clock, any key would be due.
        clocks::ensure_agreed(&mut tx).await?;
        signing_keys::lock(&mut tx).await?;
        let stored = signing_keys::find_all(&mut tx, now).await?;
        match decide(&stored) {
            // Another replica has done it meanwhile.
            Due::Nothing => return Ok(()),
            Due::NextKey => make_next(&mut tx, keeping, &next, (active_since(&stored).unwrap_or(now), now)).await?,
            Due::Rotation => turn(&mut tx, keeping, [spare, next], (by, now)).await?,
        }
        Ok(feed_versions::update(&mut tx, Feed::SigningKeys, Uuid::new_v4()).await?)
    }
    .await;
    tx.end(outcome).await
}

/// Makes the next key the active one, or a new one where there is none that fits, and another one the next.
async fn turn(
    conn: &mut Connection,
    keeping: Keeping<'_>,
    [spare, next]: [NewKey; 2],
    (by, now): (&Act, DateTime<Utc>),
) -> Result<(), Error> {
    let settings = keeping.settings;
    let retired = signing_keys::update_retiring(conn, access::all_expired_at(settings, now)).await?;
    let active = if let Some(key_id) = signing_keys::update_active(conn, keeping.only(), now).await? {
        key_id
    } else {
        insert(conn, keeping, &spare, (KeyState::Active, now), now).await?;
        spare.key_id
    };
    make_next(conn, keeping, &next, (now, now)).await?;
    // The first keys of a deployment take nobody's place.
    if let Some(retired) = retired {
        let event = Event::new(EventKind::SigningKeysRotated, Subject::SigningKey(active));
        audit::record(conn, by, event.with("retired_key_id", retired), now).await?;
    }
    Ok(())
}

/// Makes a key that signs next, in place of one that does not fit. The other one has been signing since `active_since`.
async fn make_next(
    conn: &mut Connection,
    keeping: Keeping<'_>,
    next: &NewKey,
    (active_since, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), Error> {
    signing_keys::delete_next(conn).await?;
    let active_at = signing::takes_over_at(active_since, now, keeping.settings.signing_key_rotation);
    insert(conn, keeping, next, (KeyState::Next, active_at), now).await
}

async fn insert(
    conn: &mut Connection,
    keeping: Keeping<'_>,
    key: &NewKey,
    (state, active_at): (KeyState, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let key = StoredKey {
        key_id: key.key_id.clone(),
        algorithm: keys::name(keeping.settings.algorithm).to_owned(),
        state,
        private_key: key.seal(keeping.master).map_err(Error::internal)?,
        created_at: now,
        active_at,
        retired_at: None,
    };
    Ok(signing_keys::insert(conn, &key).await?)
}

/// Two new keys, which are as many as a rotation may need; on a thread that may take its time.
async fn generate(algorithm: Algorithm) -> Result<[NewKey; 2], Error> {
    let making = tokio::task::spawn_blocking(move || Ok([keys::generate(algorithm)?, keys::generate(algorithm)?]));
    making.await.map_err(Error::internal)?.map_err(|error: keys::KeyError| Error::internal(error))
}
