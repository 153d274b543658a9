//! The addresses of a file so far, and what their lines said. Two lines that say the same of an address are one user twice, as
//! when an import is run again; two that do not are a mistake in the file, wherever in it they stand.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::flows::transfer::record::Given;

/// What was seen. By hashes alone, for a file may have millions of lines.
#[derive(Debug, Default)]
pub(super) struct Seen {
    state: RandomState,
    lines: HashMap<u64, Line>,
}

#[derive(Debug)]
struct Line {
    number: u64,
    says: u64,
}

impl Seen {
    /// Takes note of what a line says; refuses it when one before says otherwise of the same address.
    pub(super) fn note(&mut self, number: u64, given: Given) -> Result<Given, String> {
        let says = self.state.hash_one(&given.says);
        let line = self.lines.entry(self.state.hash_one(given.user.email.as_str())).or_insert(Line { number, says });
        if line.says == says {
            Ok(given)
        } else {
            Err(format!("email: line {} says otherwise of the same address", line.number))
        }
    }
}
