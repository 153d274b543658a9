//! `keyward check-config`: whether `serve` would accept the configuration, and what is in force.

use super::{Failure, print};
use crate::app;
use crate::config::Config;
use crate::rpc::methods::Methods;

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    config.require_for_serve()?;
    app::check(config)?;
    Methods::load()?;
    for warning in config.warnings() {
        print(&format!("# warning: {warning}\n"))?;
    }
    print(config.effective())
}
