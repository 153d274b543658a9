//! The queue between callers and hashing threads, and the memory that the threads work in.
//!
//! Memory goes to whoever begins next, the most recently used first, rather than belonging to a thread: a trickle of logins
//! then keeps one piece warm, however many threads take turns, and the rest goes back to the system.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::memory::Memory;

/// Work that waits for a thread.
pub(super) struct Job {
    /// When it is no longer worth beginning; `None` when that is beyond all clocks.
    pub(super) expires_at: Option<Instant>,
    /// What is to be done.
    pub(super) work: Box<dyn FnOnce(Turn<'_>) -> Answer + Send>,
}

/// Tells the caller the outcome. Called when place and memory are free again, so that what the caller does next finds them.
pub(super) type Answer = Box<dyn FnOnce() + Send>;

/// How a job is called when its turn comes.
pub(super) enum Turn<'a> {
    /// In time, with memory to work in.
    InTime(&'a mut Memory),
    /// After its deadline.
    TooLate,
}

/// There is no place for another job.
pub(super) struct Full;

/// A bounded queue of jobs with the threads' spare memory.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// How many jobs may be waiting or running together.
    places: usize,
    /// The blocks of an ordinary hash; memory that grew beyond is not kept.
    usual_blocks: usize,
    memory_kept_for: Duration,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    running: usize,
    /// The longest unused first.
    spare: VecDeque<Spare>,
    closed: bool,
}

struct Spare {
    memory: Memory,
    unused_since: Instant,
}

impl Queue {
    pub(super) fn new(places: usize, usual_blocks: usize, memory_kept_for: Duration) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), places, usual_blocks, memory_kept_for }
    }

    /// Gives a job a place, unless all are taken.
    pub(super) fn push(&self, job: Job) -> Result<(), Full> {
        let mut state = self.lock();
        if state.waiting.len() + state.running >= self.places {
            return Err(Full);
        }
        state.waiting.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Ends the threads once they have finished what they are at. What waits is dropped.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let abandoned = std::mem::take(&mut state.waiting);
        drop(state);
        drop(abandoned);
        self.changed.notify_all();
    }

    /// The life of a thread: job after job until the queue is closed.
    pub(super) fn work(&self) {
        while let Some((job, mut memory)) = self.next() {
            let is_late = job.expires_at.is_some_and(|at| Instant::now() >= at);
            let turn = if is_late { Turn::TooLate } else { Turn::InTime(&mut memory) };
            // The caller learns of a panic by the loss of its answer; the memory, made afresh, is all that is shared.
            let answer = catch_unwind(AssertUnwindSafe(|| (job.work)(turn)));
            if answer.is_err() {
                tracing::error!("A job of the hashing pool panicked");
                memory = Memory::default();
            }
            memory.settle(self.usual_blocks);
            self.finish(memory);
            if let Ok(answer) = answer {
                answer();
            }
        }
    }

    /// Waits for a job. Meanwhile gives back memory that has not been used for long.
    fn next(&self) -> Option<(Job, Memory)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                state.running += 1;
                let memory = state.spare.pop_back().map(|spare| spare.memory).unwrap_or_default();
                return Some((job, memory));
            }
            state = match state.spare.front().map(|spare| spare.unused_since.elapsed()) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(unused) if unused >= self.memory_kept_for => {
                    let released = state.spare.pop_front();
                    drop(state);
                    drop(released);
                    self.lock()
                }
                Some(unused) => {
                    let rest = self.memory_kept_for.saturating_sub(unused);
                    self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn finish(&self, memory: Memory) {
        let mut state = self.lock();
        state.running = state.running.saturating_sub(1);
        if !memory.is_empty() {
            state.spare.push_back(Spare { memory, unused_since: Instant::now() });
        }
    }

    /// No job runs while the lock is held, so that a poisoned one guards a sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn spare(&self) -> usize {
        self.lock().spare.len()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }
}
