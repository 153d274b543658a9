//! What can be wrong with a configuration, told all at once and without secrets.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the configuration cannot be used. No variant holds a value of a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file given with `--config` cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file given with `--config` is not TOML. The parser's own error would quote the line, which may hold a secret.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser expected.
        message: String,
    },
    /// Keys that are unknown, senseless or missing: all of them.
    #[error("the configuration is not valid:{}", list(.0))]
    Invalid(Vec<Problem>),
}

/// One thing that is wrong with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The full dotted key.
    pub key: String,
    /// What is wrong, and what would be right.
    pub reason: String,
    /// Where the value came from; `None` for a default and for a value that is missing.
    pub origin: Option<Origin>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file given with `--config`.
    File(PathBuf),
    /// The environment variable of this name.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)?;
        match &self.origin {
            Some(origin) => write!(f, " (from {origin})"),
            None => Ok(()),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    let separator = "\n  ";
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    format!("{separator}{}", lines.join(separator))
}

impl ConfigError {
    /// The problems with single keys; none when the file could not be read at all.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        match self {
            Self::Invalid(problems) => problems,
            Self::Unreadable { .. } | Self::Syntax { .. } => Vec::new(),
        }
    }

    /// The file at `path` is not TOML.
    pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(text);
        Self::Syntax {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            message: error.message().to_owned(),
        }
    }
}
