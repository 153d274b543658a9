//! `keyward migrate`: the schema, brought up to date.

use super::stopping::StopSignals;
use super::{Failure, logging, print};
use crate::config::Config;
use crate::database;

pub(super) async fn run(load: impl FnOnce() -> Result<Config, Failure>) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let config = load()?;
    logging::start(&config.log)?;
    let applied = tokio::select! {
        biased;
        () = signals.next() => return Err("told to stop before the schema was up to date".into()),
        applied = database::migrate(&config) => applied?,
    };
    for name in applied {
        print(&format!("applied {name}\n"))?;
    }
    print("the schema is up to date\n")
}
