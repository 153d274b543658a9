//! The limit of open files, which bounds the connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files are left for everything but clients' connections: Postgres, Redis, mail, listeners, files.
const RESERVED: usize = 256;

/// Raises the soft limit of open files to the hard one, and returns the limit in force; `None` if there is none.
pub(super) fn raise() -> Option<u64> {
    let limits = getrlimit(Resource::Nofile);
    if limits.current == limits.maximum {
        return limits.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, maximum: limits.maximum }) {
        Ok(()) => limits.maximum,
        Err(error) => {
            tracing::warn!(error = %error, "the limit of open files could not be raised");
            limits.current
        }
    }
}

/// The ceiling in force: the lesser of the configured one and what the limit of open files leaves.
pub(super) fn ceiling(configured: usize, open_files: Option<u64>) -> usize {
    let open_files = open_files.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    configured.min(open_files.saturating_sub(RESERVED))
}

#[cfg(test)]
mod tests {
    use super::ceiling;

    #[test]
    fn the_ceiling_leaves_files_for_everything_else() {
        assert_eq!(ceiling(10_000, None), 10_000);
        assert_eq!(ceiling(10_000, Some(1_048_576)), 10_000);
        assert_eq!(ceiling(10_000, Some(1024)), 768);
        assert_eq!(ceiling(10_000, Some(200)), 0);
    }
}
