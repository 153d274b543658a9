//! Following the feed from outside: everything after a place in it, without a gap, then each revocation as it comes.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::DateTime;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::app::App;
use crate::error::Error;
use crate::model::revocation::{FeedPlace, Revoked};
use crate::store::pg::revocations;

/// How many revocations one piece of news holds at most.
const BATCH: usize = 1000;

/// Somebody who follows the feed.
#[derive(Debug)]
pub struct Watch {
    news: Receiver<Revoked>,
    /// What was read from the table and is not told yet, with its place in the feed.
    backlog: VecDeque<(i64, Revoked)>,
    /// What came as it happened and is not told yet.
    heard: VecDeque<Revoked>,
    /// Up to which place everything has been told.
    position: FeedPlace,
    /// Up to which sequence number it will have been when the backlog is.
    read_up_to: i64,
    /// The epoch of the feed that the position belongs to; none while the database has gone back and this replica has not read
    /// the feed anew yet.
    epoch: Option<u32>,
    /// Whether more has happened than could be listened to.
    behind: bool,
}

/// What has been revoked since the news before.
#[derive(Debug)]
pub struct News {
    /// Whose access tokens must not be believed.
    pub revoked: Vec<Revoked>,
    /// The place in the feed from which nothing is missed by who has heard the news.
    pub position: FeedPlace,
    /// How old this replica's knowledge of the feed is.
    pub age: Duration,
}

/// Begins to follow the feed after a place in it; without one, or when the database has gone back since, with everything that
/// matters still.
///
/// # Errors
/// A failure of ours.
pub async fn watch(app: &App, after: Option<FeedPlace>) -> Result<Watch, Error> {
    let news = app.revocations.subscribe();
    let (backlog, heard) = (VecDeque::new(), VecDeque::new());
    let position = after.unwrap_or(FeedPlace { sequence: 0, server_started_at: DateTime::UNIX_EPOCH });
    let mut watch = Watch { news, backlog, heard, position, read_up_to: 0, epoch: None, behind: true };
    watch.catch_up(app).await?;
    Ok(watch)
}

impl Watch {
    /// What has come since, which may be nothing.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn news(&mut self, app: &App) -> Result<News, Error> {
        // How far the feed has been read, before what was heard of it is looked at: that is all of it up to there.
        let fed = app.revocations.fed();
        self.hear();
        if let Some(fed) = fed
            && self.epoch != Some(fed.epoch)
        {
            // The watcher is told everything again that matters still.
            self.position = fed.extent.beginning();
            self.behind = true;
        }
        if self.behind {
            self.catch_up(app).await?;
        }
        let mut revoked = Vec::new();
        while revoked.len() < BATCH
            && let Some((place, next)) = self.backlog.pop_front()
        {
            revoked.push(next);
            self.position.sequence = self.position.sequence.max(place.min(self.read_up_to));
        }
        while revoked.len() < BATCH
            && let Some(next) = self.heard.pop_front()
        {
            revoked.push(next);
        }
        if !self.has_news() {
            let settled = fed.filter(|fed| self.epoch == Some(fed.epoch)).map_or(0, |fed| fed.settled);
            self.position.sequence = self.position.sequence.max(self.read_up_to).max(settled);
        }
        Ok(News { revoked, position: self.position, age: fed.map_or(Duration::MAX, |fed| fed.at.elapsed()) })
    }

    /// Whether there is something to tell already.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.behind || !self.backlog.is_empty() || !self.heard.is_empty()
    }

    /// Waits for the next revocation.
    pub async fn changed(&mut self) {
        match self.news.recv().await {
            Ok(revoked) => self.heard.push_back(revoked),
            // They are all gone when the service is.
            Err(RecvError::Lagged(_) | RecvError::Closed) => self.behind = true,
        }
    }

    /// Takes in what has happened meanwhile.
    fn hear(&mut self) {
        loop {
            match self.news.try_recv() {
                Ok(revoked) => self.heard.push_back(revoked),
                Err(TryRecvError::Lagged(_)) => self.behind = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Reads from the table what comes after the place up to which everything has been told.
    async fn catch_up(&mut self, app: &App) -> Result<(), Error> {
        // What is settled now is in the table for sure; what comes into it from now on is heard.
        let fed = app.revocations.fed();
        let mut conn = app.pool.get().await?;
        let mut read = revocations::find_after(&mut conn, self.position.sequence, app.clock.now()).await?;
        let after = self.position;
        if !read.extent.contains(after) {
            self.position = read.extent.beginning();
            if self.position.sequence != after.sequence {
                read = revocations::find_after(&mut conn, self.position.sequence, app.clock.now()).await?;
            }
        }
        drop(conn);
        // The feed may have gone back since this replica has read it.
        let fed = fed.filter(|fed| read.extent.contains(fed.extent.end()));
        self.epoch = fed.map(|fed| fed.epoch);
        self.backlog =
            read.revocations.into_iter().map(|revocation| (revocation.sequence, revocation.revoked)).collect();
        self.read_up_to = self.position.sequence.max(fed.map_or(0, |fed| fed.settled));
        self.behind = false;
        Ok(())
    }
}
