//! `keyward methods`: who may call what.

use super::{Failure, print};
use crate::rpc::methods::Methods;

pub(super) fn run() -> Result<(), Failure> {
    print(&Methods::load()?.to_string())
}
