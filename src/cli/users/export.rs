//! `keyward users export`: every user as a line of JSON.

use std::fmt::Display;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tempfile::Builder;

use super::super::stopping::StopSignals;
use super::super::{Failure, WrongUsage, print};
use crate::app::App;
use crate::flows::transfer::export::Export;
use crate::model::audit::Act;

/// Where to, and what of a user.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The file to write, which must not be there yet, and which its owner alone may read; or - for standard output.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Write the password hashes too. Whoever gets hold of them can guess at the passwords in peace.
    #[arg(long)]
    with_password_hashes: bool,
    /// Print the summary as JSON, for programs. Needs a file, as standard output is for one of the two.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Refuses what does not go together.
    pub(super) fn check(&self) -> Result<(), WrongUsage> {
        let is_one_output = self.json && self.file == Path::new("-");
        if is_one_output { Err(WrongUsage("--json needs a file to export to")) } else { Ok(()) }
    }
}

pub(super) async fn run(app: &App, by: &Act, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { file, with_password_hashes, json } = arguments;
    if file == Path::new("-") {
        let out = std::io::stdout().lock();
        return write((app, by), with_password_hashes, out, &cannot_write("to standard output")).await.map(drop);
    }
    let users = write_file((app, by), with_password_hashes, &file).await?;
    if json { print(&format!("{}\n", json!({ "users": users }))) } else { print(&format!("{users} users exported\n")) }
}

/// Writes a file beside it, which takes its name when it is whole: half of the users are not to be taken for all of them.
async fn write_file((app, by): (&App, &Act), with_password_hashes: bool, file: &Path) -> Result<u64, Failure> {
    let cannot = cannot_write(file.display());
    if fs::symlink_metadata(file).is_ok() {
        return Err(cannot(io::ErrorKind::AlreadyExists.into()).into());
    }
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut signals = StopSignals::listen()?;
    // Its owner alone may read it, and it goes when this function does.
    let part = Builder::new().prefix(".keyward-").suffix(".part").tempfile_in(directory).map_err(&cannot)?;
    let written = write((app, by), with_password_hashes, part.as_file(), &cannot);
    let users = tokio::select! {
        users = written => users?,
        () = signals.next() => return Err("told to stop; nothing was exported".into()),
    };
    part.as_file().sync_all().map_err(&cannot)?;
    part.persist_noclobber(file).map_err(|error| cannot(error.error))?;
    Ok(users)
}

/// Says of a failure what could not be written.
fn cannot_write(what: impl Display) -> impl Fn(io::Error) -> String {
    move |error| format!("cannot write {what}: {error}")
}

/// Writes every user, and returns how many there were.
async fn write(
    (app, by): (&App, &Act),
    with_password_hashes: bool,
    out: impl Write,
    cannot: impl Fn(io::Error) -> String,
) -> Result<u64, Failure> {
    let mut out = BufWriter::new(out);
    let mut export = Export::begin(app, by, with_password_hashes).await?;
    // Shown on a terminal only; elsewhere it draws nothing.
    let style = ProgressStyle::with_template("{wide_bar} {pos} of {len}  {eta} left")?;
    let bar = ProgressBar::new(export.users).with_style(style);
    let mut users = 0;
    loop {
        let lines = export.next(app).await?;
        if lines.is_empty() {
            break;
        }
        for line in &lines {
            writeln!(out, "{line}").map_err(&cannot)?;
        }
        users += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        bar.set_position(users);
    }
    bar.finish_and_clear();
    out.flush().map_err(&cannot)?;
    Ok(users)
}
