//! The ring of this replica: what it signs and verifies with, kept up to date with what any replica has changed.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Due, due};
use crate::app::App;
use crate::error::Error;
use crate::flows::copied::Copied;
use crate::store::pg::StoreError;
use crate::store::pg::feed_versions::Feed;
use crate::store::pg::signing_keys::{self, KeyState, StoredKey};
use crate::token::keys::{Keys, SealedKey};
use crate::token::master::Master;

/// How much time lies between two looks for a key that a token names and nobody here knows. Whoever sends such tokens can
/// cause no more than that.
const LOOK_UP_INTERVAL: Duration = Duration::from_millis(100);

/// What this replica knows of the signing keys, besides the ring.
#[derive(Debug, Default)]
pub struct SigningKeys {
    /// As they are stored: what says when something is due.
    stored: Copied<Vec<StoredKey>>,
    /// Held by who looks for an unknown key.
    looks: Mutex<Looks>,
}

/// When somebody last looked for an unknown key.
#[derive(Debug, Default)]
struct Looks {
    /// When it was begun.
    begun: Option<Instant>,
    /// When the last one that failed was begun.
    in_vain: Option<Instant>,
}

/// Opens stored keys.
pub(super) fn open(stored: &[StoredKey], master: &Master) -> Result<Keys, Error> {
    let sealed = stored.iter().map(|key| SealedKey {
        key_id: &key.key_id,
        algorithm: &key.algorithm,
        private_key: &key.private_key,
        active: key.state == KeyState::Active,
        retired_at: key.retired_at,
    });
    Keys::open(sealed, master).map_err(Error::internal)
}

/// Reads the keys again if they have changed; one round trip when they have not.
///
/// # Errors
/// When the database fails, or a key was sealed under a master key that is not given; the ring then stays as it is.
pub async fn follow(app: &App) -> Result<(), Error> {
    let Some((outdated, mut conn)) = app.signing_keys.stored.outdated(&app.job_pool, Feed::SigningKeys).await? else {
        return Ok(());
    };
    let stored = signing_keys::find_all(&mut conn, app.clock.now()).await?;
    app.keys.replace(open(&stored, &app.master)?);
    tracing::info!(signing_keys = stored.len(), "the signing keys were read");
    outdated.replace(stored);
    Ok(())
}

/// Whether a key is to be made or to take over, as far as this replica knows; at no cost.
#[must_use]
pub fn is_due(app: &App) -> bool {
    due(&app.signing_keys.stored.current(), None, &app.config.tokens, app.clock.now()) != Due::Nothing
}

/// Looks whether there is a key that this replica has not heard of. However many ask, it looks ten times a second at most,
/// and once for all who wait.
///
/// # Errors
/// A failure of ours.
pub async fn look_up(app: &App) -> Result<(), Error> {
    let asked = Instant::now();
    let mut looks = app.signing_keys.looks.lock().await;
    if app.signing_keys.stored.is_as_of(asked) {
        return Ok(());
    }
    if looks.in_vain.is_some_and(|begun| begun >= asked) {
        return Err(StoreError::Unavailable("the signing keys could not be read a moment ago".into()).into());
    }
    if let Some(begun) = looks.begun {
        tokio::time::sleep_until(begun + LOOK_UP_INTERVAL).await;
    }
    looks.begun = Some(Instant::now());
    let outcome = follow(app).await;
    if outcome.is_err() {
        looks.in_vain = looks.begun;
    }
    outcome
}

/// Makes a change felt here that has been committed. It stands even if this fails: the feed's job brings it then.
pub(super) async fn take_in(app: &App) {
    if let Err(error) = follow(app).await {
        tracing::debug!(error = %error, "the signing keys could not be read after a change");
    }
}
