//! `keyward migrate`: the schema, brought up to date.

use super::{Failure, logging, print};
use crate::config::Config;
use crate::store::pg;

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    logging::start(&config.log)?;
    let applied = pg::migrate(config.database_url()?, &config.database).await?;
    let lines: String = applied.iter().map(|name| format!("applied {name}\n")).collect();
    print(&format!("{lines}the schema is up to date\n"))
}
