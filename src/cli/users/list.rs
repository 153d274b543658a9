//! `keyward users list`.

use super::{Failure, print};
use crate::app::App;
use crate::flows::users;
use crate::model::role::RoleName;
use crate::model::user::UserState;
use crate::model::user_list::{SearchPrefix, UserList, UserOrder, UserTime};

/// How many users are read at once.
const BATCH: u32 = 1000;

/// Which users to print.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only users whose e-mail address or name begins with this, in upper or lower case.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    query: String,
    /// Only users in this state.
    #[arg(long, value_parser = state, value_name = "active|suspended")]
    state: Option<UserState>,
    /// Only users with this role.
    #[arg(long)]
    role: Option<RoleName>,
    /// By when they last logged in, and not by when they were created.
    #[arg(long)]
    by_last_login: bool,
    /// The earliest first, and not the latest.
    #[arg(long)]
    ascending: bool,
    /// How many users to print at most.
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    limit: u32,
    /// As a JSON array, for programs.
    #[arg(long)]
    json: bool,
}

fn state(text: &str) -> Result<UserState, &'static str> {
    UserState::from_name(&text.to_ascii_uppercase()).ok_or("must be active or suspended")
}

pub(super) async fn run(app: &App, arguments: Arguments) -> Result<(), Failure> {
    let by = if arguments.by_last_login { UserTime::LastLogin } else { UserTime::Created };
    let list = UserList {
        prefix: SearchPrefix::new(&arguments.query),
        state: arguments.state,
        role: arguments.role,
        order: UserOrder { by, descending: !arguments.ascending },
    };
    let mut found = Vec::new();
    let mut missing = arguments.limit;
    while missing > 0 {
        let after = found.last().map(|user| list.order.place(user));
        let page = users::list(app, &list, after, missing.min(BATCH)).await?;
        if page.is_empty() {
            break;
        }
        missing = missing.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
        found.extend(page);
    }
    print::users(&found, arguments.json)
}
