//! Import: lines become users, a batch in one transaction. What is there already stays as it is, and is passed over, so that
//! an import that broke off is taken up by running it again.

mod batch;
mod seen;

use std::collections::HashSet;

use self::batch::Batch;
use self::seen::Seen;
use super::record::Judge;
use crate::app::App;
use crate::error::Error;
use crate::flows::audit;
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::store::pg::roles;

/// A line of the file.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number, the first being 1.
    pub number: u64,
    /// What it says.
    pub text: String,
}

/// A line that became no user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its number.
    pub number: u64,
    /// Why, the field first.
    pub reason: String,
}

/// What came of a batch of lines.
#[derive(Debug, Default)]
pub struct Imported {
    /// How many became users.
    pub imported: u64,
    /// How many were users already, with the same address and no other identifier.
    pub skipped: u64,
    /// Those that did not, and could not.
    pub refused: Vec<Refused>,
}

/// What came of all batches so far.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Tally {
    /// How many lines became users.
    pub imported: u64,
    /// How many were users already.
    pub skipped: u64,
    /// How many did not become users, and could not.
    pub refused: u64,
}

/// How an import is to go on.
#[derive(Debug)]
pub struct Import {
    known_roles: HashSet<String>,
    seen: Seen,
    dry_run: bool,
}

impl Import {
    /// Finds out which roles there are. A `dry_run` judges every line, and imports none.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn begin(app: &App, dry_run: bool) -> Result<Self, Error> {
        let known_roles = roles::find_names(&mut *app.pool.get().await?).await?.into_iter().collect();
        Ok(Self { known_roles, seen: Seen::default(), dry_run })
    }

    /// Puts on record that it is over, and what came of it; of a dry run nothing is.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn end(self, app: &App, by: &Act, tally: Tally) -> Result<(), Error> {
        if self.dry_run {
            return Ok(());
        }
        let Tally { imported, skipped, refused } = tally;
        let event = Event::new(EventKind::UsersImported, Subject::Nothing).with("imported", imported);
        let event = event.with("skipped", skipped).with("refused", refused);
        let mut tx = app.pool.begin().await?;
        let recorded = audit::record(&mut tx, by, event, app.clock.now()).await;
        tx.end(recorded).await
    }
}

/// Imports a batch of lines: all that can be, or none where it fails. Each user is put on record with it.
///
/// # Errors
/// A failure of ours, which is never one line's.
pub async fn import(app: &App, by: &Act, import: &mut Import, lines: Vec<Line>) -> Result<Imported, Error> {
    let now = app.clock.now();
    let judge = Judge { hasher: &app.hasher, roles: &import.known_roles, now };
    let (mut outcome, mut batch) = (Imported::default(), Batch::default());
    for Line { number, text } in lines {
        match judge.read(&text).and_then(|given| import.seen.note(number, given)) {
            Ok(given) => batch.push(number, given),
            Err(reason) => outcome.refused.push(Refused { number, reason }),
        }
    }
    let mut tx = app.pool.begin().await?;
    let written = batch.write(&mut tx, by, &mut outcome, now).await;
    if import.dry_run && written.is_ok() {
        tx.undo().await?;
    } else {
        tx.end(written).await?;
    }
    outcome.refused.sort_by_key(|refused| refused.number);
    Ok(outcome)
}
