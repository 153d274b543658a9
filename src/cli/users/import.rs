//! `keyward users import`: users from another system, a line of JSON each.

mod lines;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use self::lines::Lines;
use super::super::{Failure, print};
use crate::app::App;
use crate::flows::transfer::import::{self, Import, Imported, Refused, Tally};
use crate::model::audit::Act;

/// How many lines are imported at once.
const BATCH: u64 = 1000;

/// What to import, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The file of JSON lines, or - for standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Judge every line, and import none. That two lines name one identifier is noticed only where they are close.
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// What came of all lines.
#[derive(Debug, Default, serde::Serialize)]
struct Summary {
    lines: u64,
    #[serde(flatten)]
    tally: Tally,
    dry_run: bool,
}

pub(super) async fn run(app: &App, by: &Act, arguments: Arguments) -> Result<(), Failure> {
    let (reader, bytes) = open(&arguments.file)?;
    let bar = progress_bar(bytes)?;
    let mut lines = Lines::new(reader, arguments.file.display().to_string());
    let mut summary = Summary { dry_run: arguments.dry_run, ..Summary::default() };
    let mut import = Import::begin(app, summary.dry_run).await?;
    let outcome = import_all((app, by), &mut import, (&mut lines, &mut summary.tally), &bar).await;
    // What was imported before it broke off is on record as well.
    let outcome = outcome.and(import.end(app, by, summary.tally).await.map_err(Failure::from));
    summary.lines = lines.count;
    bar.finish_and_clear();
    print(&if arguments.json { serde_json::to_string(&summary)? + "\n" } else { summary.to_string() })?;
    outcome?;
    match summary.tally.refused {
        0 => Ok(()),
        refused => Err(format!("{refused} of {} lines were refused", summary.lines).into()),
    }
}

async fn import_all<R: BufRead>(
    (app, by): (&App, &Act),
    import: &mut Import,
    (lines, tally): (&mut Lines<R>, &mut Tally),
    bar: &ProgressBar,
) -> Result<(), Failure> {
    while let Some((batch, unreadable)) = lines.take(BATCH)? {
        let Imported { imported, skipped, refused } = import::import(app, by, import, batch).await?;
        tally.imported += imported;
        tally.skipped += skipped;
        let mut refused: Vec<_> = unreadable.into_iter().chain(refused).collect();
        refused.sort_by_key(|refused| refused.number);
        tally.refused += u64::try_from(refused.len()).unwrap_or(u64::MAX);
        bar.suspend(|| report(&refused))?;
        bar.set_position(lines.bytes);
        let Tally { imported, skipped, refused } = tally;
        bar.set_message(format!("{imported} imported, {skipped} there already, {refused} refused"));
    }
    Ok(())
}

/// Tells on standard error which lines were refused, and why.
fn report(refused: &[Refused]) -> std::io::Result<()> {
    let mut err = std::io::stderr().lock();
    refused.iter().try_for_each(|Refused { number, reason }| writeln!(err, "line {number}: {reason}"))
}

/// The file, and its length where it has one.
fn open(file: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(BufReader::new(std::io::stdin())), None));
    }
    let opened = File::open(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let metadata = opened.metadata()?;
    Ok((Box::new(BufReader::new(opened)), metadata.is_file().then_some(metadata.len())))
}

/// Shown on a terminal only; elsewhere it draws nothing.
fn progress_bar(bytes: Option<u64>) -> Result<ProgressBar, Failure> {
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{wide_bar} {percent:>3} %  {eta} left  {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {elapsed}  {msg}"),
    };
    Ok(bar.with_style(ProgressStyle::with_template(template)?))
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lines, tally: Tally { imported, skipped, refused }, dry_run } = self;
        let imported_as = if *dry_run { "would be imported" } else { "imported" };
        writeln!(f, "{lines} lines: {imported} {imported_as}, {skipped} there already, {refused} refused")
    }
}
