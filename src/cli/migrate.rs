//! `keyward migrate`: the schema, brought up to date.

use super::{Failure, logging, print};
use crate::app;
use crate::config::Config;

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    logging::start(&config.log)?;
    for name in app::migrate(&config).await? {
        print(&format!("applied {name}\n"))?;
    }
    print("the schema is up to date\n")
}
