//! A batch of lines on its way into the database. A line that the database refuses is found and left out, whatever it is that
//! the judge did not see: no line stands in the way of the others.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{Imported, Refused};
use crate::error::Error;
use crate::flows::audit::{self, Event};
use crate::flows::names;
use crate::flows::transfer::record::Given;
use crate::model::audit::{Act, EventKind, Subject};
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::store::pg::users::{self, ImportedUser};
use crate::store::pg::{Connection, Transaction};

/// The users of a batch, no two with one identifier or one address.
#[derive(Default)]
pub(super) struct Batch {
    users: Vec<ImportedUser>,
    places: HashMap<UserId, Place>,
    emails: HashSet<String>,
    /// Those that have the identifier or the address of one before.
    others: Vec<Other>,
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
    /// Takes a user in.
    pub(super) fn push(&mut self, number: u64, given: Given) {
        let Given { user, is_named, .. } = given;
        let place = Place { number, is_named };
        if self.places.contains_key(&user.user_id) || self.emails.contains(user.email.as_str()) {
            self.others.push(Other { place, user_id: user.user_id, email: user.email });
        } else {
            self.emails.insert(user.email.as_str().to_owned());
            self.places.insert(user.user_id, place);
            self.users.push(user);
        }
    }

    /// Creates those whose identifiers and addresses are free, and says what came of the rest.
    pub(super) async fn write(
        mut self,
        tx: &mut Transaction<'_>,
        by: &Act,
        outcome: &mut Imported,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let mut created = 0;
        let (mut parts, mut is_proven) = (vec![self.users.as_slice()], false);
        while let Some(part) = parts.pop() {
            match tx.part(async |conn| create(conn, by, part, now).await).await {
                Ok(user_ids) => {
                    created += user_ids.len();
                    let left = part.iter().filter(|user| !user_ids.contains(&user.user_id));
                    self.others.extend(left.filter_map(|user| {
                        let place = self.places.remove(&user.user_id)?;
                        Some(Other { place, user_id: user.user_id, email: user.email.clone() })
                    }));
                }
                Err(error @ Error::DatabaseUnavailable(_)) => return Err(error),
                Err(error) => {
                    if !is_proven {
                        // What fails without any user is no user's fault.
                        tx.part(async |conn| create(conn, by, &[], now).await).await?;
                        is_proven = true;
                    }
                    if let [user] = part {
                        let reason = format!("the database refuses it: {}", deepest(&error));
                        let place = self.places.remove(&user.user_id);
                        outcome.refused.extend(place.map(|Place { number, .. }| Refused { number, reason }));
                    } else {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                }
            }
        }
        outcome.imported = u64::try_from(created).unwrap_or(u64::MAX);
        explain(tx, self.others, outcome).await
    }
}

/// Creates those of these users whose identifiers and addresses are free, and puts each on record; returns which.
async fn create(
    conn: &mut Connection,
    by: &Act,
    users: &[ImportedUser],
    now: DateTime<Utc>,
) -> Result<HashSet<UserId>, Error> {
    let created = users::import(conn, users, now).await?;
    let events = users.iter().filter(|user| created.contains(&user.user_id)).map(|user| {
        let event = Event::new(EventKind::UserCreated, Subject::User(user.user_id)).with("imported", true);
        event.with("roles", names(&user.roles))
    });
    audit::record_all(conn, by, events.collect::<Vec<_>>(), now).await?;
    Ok(created)
}

/// What is at the bottom of a failure, without what we have to say of it.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
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
            None => "found no place, and nobody in it: import it again".to_owned(),
        };
        outcome.refused.push(Refused { number: *number, reason });
    }
    Ok(())
}
