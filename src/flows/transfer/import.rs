//! Import: lines become users, a batch in one transaction. What is there already stays as it is, and is passed over, so that
//! an import that broke off is taken up by running it again.

use std::collections::{HashMap, HashSet};

use super::record::{Given, Judge};
use crate::app::App;
use crate::error::Error;
use crate::flows::audit::{self, Event};
use crate::model::audit::{Act, EventKind, Subject};
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::store::pg::users::{self, ImportedUser};
use crate::store::pg::{Connection, roles};

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

/// How an import is to go on.
#[derive(Debug)]
pub struct Import {
    known_roles: HashSet<String>,
    dry_run: bool,
}

impl Import {
    /// Finds out which roles there are. A `dry_run` judges every line, and imports none.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn begin(app: &App, dry_run: bool) -> Result<Self, Error> {
        let known_roles = roles::find_names(&mut *app.pool.get().await?).await?.into_iter().collect();
        Ok(Self { known_roles, dry_run })
    }
}

/// Imports a batch of lines: all that can be, or none where it fails. Puts on record how many.
///
/// # Errors
/// A failure of ours.
pub async fn import(app: &App, by: &Act, import: &Import, lines: Vec<Line>) -> Result<Imported, Error> {
    let now = app.clock.now();
    let judge = Judge { hasher: &app.hasher, roles: &import.known_roles, now };
    let mut outcome = Imported::default();
    let (mut new, mut others) = (Batch::default(), Vec::new());
    for Line { number, text } in lines {
        match judge.read(&text) {
            Ok(given) => others.extend(new.push(number, given)),
            Err(reason) => outcome.refused.push(Refused { number, reason }),
        }
    }
    let mut tx = app.pool.begin().await?;
    let written = async {
        let created = users::import(&mut tx, &new.users, now).await?;
        outcome.imported = u64::try_from(created.len()).unwrap_or(u64::MAX);
        if !created.is_empty() {
            let event = Event::new(EventKind::UsersImported, Subject::Nothing).with("users", outcome.imported);
            audit::record(&mut tx, by, event, now).await?;
        }
        others.extend(new.without(&created));
        explain(&mut tx, others, &mut outcome).await
    }
    .await;
    if import.dry_run && written.is_ok() {
        tx.undo().await?;
    } else {
        tx.end(written).await?;
    }
    outcome.refused.sort_by_key(|refused| refused.number);
    Ok(outcome)
}

/// The users of a batch, no two with one identifier or one address.
#[derive(Default)]
struct Batch {
    users: Vec<ImportedUser>,
    places: Vec<Place>,
    user_ids: HashSet<UserId>,
    emails: HashSet<String>,
}

/// Where a user comes from.
struct Place {
    number: u64,
    is_named: bool,
}

/// A line whose user was not created.
struct Other {
    place: Place,
    user_id: UserId,
    email: Email,
}

impl Batch {
    /// Takes a user in; gives it back when an earlier line has its identifier or its address.
    fn push(&mut self, number: u64, given: Given) -> Option<Other> {
        let Given { user, is_named } = given;
        let place = Place { number, is_named };
        if self.user_ids.contains(&user.user_id) || self.emails.contains(user.email.as_str()) {
            return Some(Other { place, user_id: user.user_id, email: user.email });
        }
        self.user_ids.insert(user.user_id);
        self.emails.insert(user.email.as_str().to_owned());
        self.users.push(user);
        self.places.push(place);
        None
    }

    /// Those that were not created.
    fn without(self, created: &HashSet<UserId>) -> impl Iterator<Item = Other> {
        let others = self.users.into_iter().zip(self.places).filter(|(user, _)| !created.contains(&user.user_id));
        others.map(|(user, place)| Other { place, user_id: user.user_id, email: user.email })
    }
}

/// Finds out whether these are there already, or who is in their way.
async fn explain(conn: &mut Connection, others: Vec<Other>, outcome: &mut Imported) -> Result<(), Error> {
    if others.is_empty() {
        return Ok(());
    }
    let user_ids: Vec<_> = others.iter().map(|other| other.user_id).collect();
    let emails: Vec<_> = others.iter().map(|other| &other.email).collect();
    let holders = users::find_holders(conn, &user_ids, &emails).await?;
    let by_id: HashSet<UserId> = holders.iter().map(|(user_id, _)| *user_id).collect();
    let by_email: HashMap<_, _> = holders.iter().map(|(user_id, email)| (email.as_str(), *user_id)).collect();
    for Other { place: Place { number, is_named }, user_id, email } in &others {
        let reason = match by_email.get(email.as_str()) {
            Some(holder) if !is_named || holder == user_id => {
                outcome.skipped += 1;
                continue;
            }
            Some(holder) => format!("email: is taken by the user {holder}"),
            None if by_id.contains(user_id) => "user_id: is taken by a user with another address".to_owned(),
            None => "its place was taken for a moment: import it again".to_owned(),
        };
        outcome.refused.push(Refused { number: *number, reason });
    }
    Ok(())
}
