//! `keyward check-config`: whether `serve` would accept the configuration, and what is in force.

use super::{Failure, print};
use crate::config::Config;
use crate::mail::Mailer;
use crate::rpc::methods::Methods;
use crate::store::pg::Pool;

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    config.require_for_serve()?;
    // What these refuse, only they can tell.
    Mailer::new(&config.mail)?;
    Pool::new(config.database_url()?, &config.database, 1)?;
    Methods::load()?;
    let warnings: String = config.warnings().iter().map(|warning| format!("# warning: {warning}\n")).collect();
    print(&format!("{warnings}{}", config.effective()))
}
