//! `keyward users export`: every user as a line of JSON.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::{Failure, print};
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

pub(super) async fn run(app: &App, by: &Act, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { file, with_password_hashes, json } = arguments;
    if file == Path::new("-") {
        if json {
            return Err("--json needs a file to export to".into());
        }
        return write(app, by, with_password_hashes, std::io::stdout().lock()).await.map(drop);
    }
    let cannot = |error| format!("cannot write {}: {error}", file.display());
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(cannot)?;
    match write_file(app, by, with_password_hashes, opened).await {
        Ok(users) if json => print(&format!("{}\n", serde_json::json!({ "users": users }))),
        Ok(users) => print(&format!("{users} users exported\n")),
        Err(failure) => {
            // Half of the users are not to be taken for all of them.
            fs::remove_file(&file)?;
            Err(failure)
        }
    }
}

async fn write_file(app: &App, by: &Act, with_password_hashes: bool, file: File) -> Result<u64, Failure> {
    let users = write(app, by, with_password_hashes, &file).await?;
    file.sync_all()?;
    Ok(users)
}

/// Writes every user, and returns how many there were.
async fn write(app: &App, by: &Act, with_password_hashes: bool, out: impl Write) -> Result<u64, Failure> {
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
            writeln!(out, "{line}")?;
        }
        users += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        bar.set_position(users);
    }
    bar.finish_and_clear();
    out.flush()?;
    Ok(users)
}
