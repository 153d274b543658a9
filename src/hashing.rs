//! The hashing pool: where passwords are hashed (argon2id) and compared, off the async threads and within bounds.
//!
//! One hash takes some twenty milliseconds of a core and 19 MiB of memory, so that a pool that takes on whatever comes is
//! an invitation. This one has as many threads as there are cores, a queue of fixed length, and a deadline for what waits
//! in it; beyond that callers are turned away at once. A place in the queue belongs to the work, not to the request: a
//! client that hangs up gains nothing. What a good password is does not belong here (`policy::password`), but slow pure
//! questions about one may be asked on the same threads.

mod argon2id;
mod bcrypt;
mod memory;
mod pbkdf2;
mod queue;
mod scrypt;
mod stored;

use std::collections::TryReserveError;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use thiserror::Error;
use tokio::sync::oneshot;
use tracing::Span;

use crate::config;
use crate::model::password::{Password, PasswordHash};

use argon2id::Argon2id;
use memory::Memory;
use queue::{Job, Queue, Turn};
pub use stored::HashUnusable;
use stored::Hashes;

/// How long the memory of a worker is kept after its last use.
const MEMORY_KEPT_FOR: Duration = Duration::from_secs(10);

/// A pool of threads that hash passwords. Shared by reference; its threads end when it is dropped.
pub struct Hasher {
    queue: Arc<Queue>,
    hashes: Arc<Hashes>,
    deadline: Duration,
}

/// Why a pool could not be started.
#[derive(Debug, Error)]
pub enum HasherInvalid {
    /// Argon2 does not know such parameters.
    #[error("argon2id does not take these parameters")]
    Parameters(#[source] argon2::Error),
    /// The system gave no thread.
    #[error("a hashing thread could not be started")]
    Thread(#[source] io::Error),
}

/// Why there is no answer. None of these says anything about the password.
#[derive(Debug, Error)]
pub enum HashingError {
    /// The queue is full, or the work waited in it until its deadline. It was not begun.
    #[error("too many passwords are waiting to be hashed")]
    Overloaded {
        /// When the present queue will have been worked off or given up.
        retry_after: Duration,
    },
    /// The work panicked, or the pool was dropped before its turn.
    #[error("hashing was interrupted")]
    Interrupted,
    /// The stored hash cannot be compared with: it is damaged, or asks for more work than any may.
    #[error("a stored password hash cannot be used")]
    StoredHashUnusable(#[source] HashUnusable),
    /// The system's source of randomness failed, so that there is no salt.
    #[error("the system's source of randomness failed")]
    Randomness(#[source] aws_lc_rs::error::Unspecified),
    /// The system gave no memory to hash in.
    #[error("there is no memory to hash a password in")]
    Memory(#[source] TryReserveError),
    /// Argon2 refused its input.
    #[error("argon2id failed")]
    Argon2(#[source] argon2::password_hash::Error),
}

/// Whether a password is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the right one.
    Right {
        /// The same password, hashed anew, when the stored hash was not made with the present parameters.
        rehash: Option<PasswordHash>,
    },
    /// It is another one, or there is none to compare with.
    Wrong,
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

impl Hasher {
    /// Starts the pool. No memory to hash in is taken before the first hash.
    ///
    /// # Errors
    /// When argon2id does not take the parameters, or the system gives no threads.
    pub fn new(config: &config::Passwords) -> Result<Self, HasherInvalid> {
        Self::with_memory_kept_for(config, MEMORY_KEPT_FOR)
    }

    fn with_memory_kept_for(config: &config::Passwords, kept_for: Duration) -> Result<Self, HasherInvalid> {
        let argon2id = Argon2id::new(config.memory_kib.get(), config.iterations.get(), config.parallelism.get())?;
        let workers = config.workers.count().get();
        let places = workers.saturating_add(config.queue.get());
        let queue = Arc::new(Queue::new(places, argon2id.blocks(), kept_for));
        let hashes = Arc::new(Hashes { argon2id, ceilings: config.ceilings });
        let pool = Self { queue, hashes, deadline: config.deadline };
        for worker in 0..workers {
            let queue = Arc::clone(&pool.queue);
            thread::Builder::new()
                .name(format!("hashing-{worker}"))
                .spawn(move || queue.work())
                .map_err(HasherInvalid::Thread)?;
        }
        Ok(pool)
    }

    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// See [`HashingError`].
    pub async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError> {
        let (hashes, password) = (Arc::clone(&self.hashes), password.clone());
        self.submit(move |memory| hashes.argon2id.hash(&password, memory)).await?
    }

    /// Asks a question about a password and, unless it objects, hashes it: one turn in the queue for both.
    ///
    /// # Errors
    /// The outer ones are of the pool (see [`HashingError`]), the inner one is the objection.
    pub async fn hash_if<E: Send + 'static>(
        &self,
        password: Password,
        check: impl FnOnce(&Password) -> Result<(), E> + Send + 'static,
    ) -> Result<Result<PasswordHash, E>, HashingError> {
        let hashes = Arc::clone(&self.hashes);
        self.submit(move |memory| match check(&password) {
            Ok(()) => hashes.argon2id.hash(&password, memory).map(Ok),
            Err(objection) => Ok(Err(objection)),
        })
        .await?
    }

    /// Compares a password with a stored hash of any family. Without one (an unknown address) the work of comparing with a new
    /// one is done for nothing, and the verdict is `Wrong`.
    ///
    /// A hash that is not made as new ones are costs a new one on top, whatever the verdict. So it never takes less time than
    /// an unknown address does; but it takes more, until its owner logs in for the first time.
    ///
    /// What was typed is compared too, where normalising makes another text of it: that is what other systems have hashed. Such a
    /// text costs twice, for an unknown address as well. What replaces a hash is made of the normalised one.
    ///
    /// # Errors
    /// See [`HashingError`].
    pub async fn verify(&self, password: Password, stored: Option<&PasswordHash>) -> Result<Verdict, HashingError> {
        let (hashes, stored) = (Arc::clone(&self.hashes), stored.cloned());
        self.submit(move |memory| hashes.verify(&password, stored.as_ref(), memory)).await?
    }

    /// Whether a hash made elsewhere can be compared with, at a cost that is allowed. Takes no time worth mentioning.
    ///
    /// # Errors
    /// Why not.
    pub fn examine(&self, hash: &PasswordHash) -> Result<(), HashUnusable> {
        self.hashes.read(hash).map(drop)
    }

    /// Does other slow work that needs neither I/O nor the async threads.
    ///
    /// # Errors
    /// `Overloaded` and `Interrupted` only.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashingError> {
        self.submit(move |_| work()).await
    }

    async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let retry_after = self.deadline.max(Duration::from_secs(1));
        let span = Span::current();
        let (reply, answer) = oneshot::channel();
        let job = Job {
            expires_at: Instant::now().checked_add(self.deadline),
            work: Box::new(move |turn| {
                let outcome = match turn {
                    _ if reply.is_closed() => None,
                    Turn::InTime(memory) => Some(Ok(span.in_scope(|| work(memory)))),
                    Turn::TooLate => Some(Err(HashingError::Overloaded { retry_after })),
                };
                // The caller may go at any time; then nobody wants the answer.
                Box::new(move || drop(outcome.map(|outcome| reply.send(outcome))))
            }),
        };
        self.queue.push(job).map_err(|_refused| HashingError::Overloaded { retry_after })?;
        answer.await.map_err(|_dropped| HashingError::Interrupted)?
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests;
