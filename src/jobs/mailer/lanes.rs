//! Deliveries under way, so arranged that one slow domain holds up no other.
//!
//! A delivery that takes long does not count among those that fill the lanes; a domain with several of these gets no further one
//! for a while.

use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::gate::Seen;

/// How many deliveries may be under way that are not slow.
const QUICK: usize = 8;

/// How many may be under way in all.
const ALL: usize = 32;

/// How many slow ones a domain may have before it gets no further delivery.
const SLOW_PER_DOMAIN: usize = 4;

/// When a delivery counts as slow.
pub(super) const SLOW_AFTER: Duration = Duration::from_millis(500);

/// A delivery under way.
#[derive(Debug)]
struct Lane {
    task: Id,
    domain: String,
    began_at: Instant,
    seen: Seen,
}

/// The deliveries under way, each with an outcome of type `T`.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    tasks: JoinSet<T>,
    lanes: Vec<Lane>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), lanes: Vec::new() }
    }
}

impl Lane {
    fn is_slow(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began_at) >= SLOW_AFTER
    }
}

impl<T: Send + 'static> Lanes<T> {
    /// How many deliveries are under way.
    pub(super) const fn busy(&self) -> usize {
        self.lanes.len()
    }

    /// How many more may begin.
    pub(super) fn free(&self, now: Instant) -> usize {
        let quick = self.lanes.iter().filter(|lane| !lane.is_slow(now)).count();
        QUICK.saturating_sub(quick).min(ALL.saturating_sub(self.lanes.len()))
    }

    /// Whether so many deliveries to a domain are slow that no further one should begin.
    pub(super) fn is_slow(&self, domain: &str, now: Instant) -> bool {
        let slow = self.lanes.iter().filter(|lane| lane.domain == domain && lane.is_slow(now));
        slow.count() >= SLOW_PER_DOMAIN
    }

    /// Begins a delivery to a domain.
    pub(super) fn begin(
        &mut self,
        (domain, seen, began_at): (String, Seen, Instant),
        delivery: impl Future<Output = T> + Send + 'static,
    ) {
        let task = self.tasks.spawn(delivery).id();
        self.lanes.push(Lane { task, domain, began_at, seen });
    }

    /// Waits for the next delivery to end; `None` when there is none. One that panicked has no outcome.
    pub(super) async fn next(&mut self) -> Option<(Seen, Option<T>)> {
        let (task, outcome) = match self.tasks.join_next_with_id().await? {
            Ok((task, outcome)) => (task, Some(outcome)),
            Err(error) => (JoinError::id(&error), None),
        };
        let place = self.lanes.iter().position(|lane| lane.task == task)?;
        Some((self.lanes.swap_remove(place).seen, outcome))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::super::gate::Gate;
    use super::{Instant, Lanes, SLOW_AFTER};

    #[tokio::test]
    async fn slow_deliveries_leave_room_for_others() {
        let (mut lanes, seen, mut now) = (Lanes::<()>::default(), Gate::default().seen(), Instant::now());
        let fill = |lanes: &mut Lanes<()>, domain: &str, now: Instant| {
            for _ in 0..8 {
                lanes.begin((domain.to_owned(), seen, now), pending());
            }
        };
        fill(&mut lanes, "slow.example", now);
        assert_eq!((lanes.free(now), lanes.is_slow("slow.example", now)), (0, false));
        now += SLOW_AFTER;
        assert_eq!(lanes.free(now), 8);
        assert!(lanes.is_slow("slow.example", now) && !lanes.is_slow("example.com", now));
        for _ in 0..3 {
            fill(&mut lanes, "other.example", now);
            now += SLOW_AFTER;
        }
        assert_eq!((lanes.busy(), lanes.free(now)), (32, 0));
    }
}
