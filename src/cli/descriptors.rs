//! `keyward descriptors`: the API for machines.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::Failure;
use crate::proto::DESCRIPTORS;

/// Where to.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file to write; standard output without it.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.output {
        Some(file) => fs::write(file, DESCRIPTORS)?,
        None => std::io::stdout().lock().write_all(DESCRIPTORS)?,
    }
    Ok(())
}
