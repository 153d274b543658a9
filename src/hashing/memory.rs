//! The blocks that argon2id works in, reused from hash to hash: asking the system for them each time costs up to half as much
//! time again as the hash itself.

use std::collections::TryReserveError;

use argon2::Block;

/// Room is asked for in at least this many blocks (of 1 KiB), used or not. Allocators keep what they get back of less than
/// 32 MiB (glibc's threshold at its largest), but give a larger piece straight back to the system; untouched pages of it cost
/// nothing.
const MIN_CAPACITY: usize = 33 * 1024;

/// Working memory of one hash at a time. Empty until it is first needed.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    /// At least `count` blocks with whatever is in them: argon2id writes each before it reads it.
    pub(super) fn blocks(&mut self, count: usize) -> Result<&mut [Block], TryReserveError> {
        if self.0.len() < count {
            // Given back first, for both together may be more than there is.
            self.0 = Vec::new();
            self.0.try_reserve_exact(count.max(MIN_CAPACITY))?;
            self.0.resize(count, Block::new());
        }
        Ok(&mut self.0)
    }

    /// Gives everything back when it grew beyond `count` blocks for an exceptional hash.
    pub(super) fn settle(&mut self, count: usize) {
        if self.0.len() > count {
            self.0 = Vec::new();
        }
    }

    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
