//! Lists of users, page by page.

use chrono::{DateTime, Utc};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::error::Error;
use crate::flows::users;
use crate::model::user::UserState;
use crate::model::user_list::{SearchPrefix, UserList, UserOrder, UserPlace, UserTime};
use crate::proto::keyward::v1::user::State;
use crate::proto::keyward::v1::{ListUsersRequest, ListUsersResponse};
use crate::rpc::accept::accept_as;
use crate::rpc::admin::Admin;
use crate::rpc::fields::all;
use crate::rpc::{convert, page};

pub(in crate::rpc::admin) async fn list(
    admin: &Admin,
    request: Request<ListUsersRequest>,
) -> Result<Response<ListUsersResponse>, Status> {
    let (call, (asked, list, after)) = accept_as(request, |call| {
        let asked = user_list(&call.message)?;
        let list = admin.list("ListUsers", call)?.by(format!("{asked:?}"));
        let after = list.cursor(&call.message.page_token)?.map(|cursor| place(&cursor)).transpose()?;
        Ok((asked, list, after))
    })?;
    let size = page::size(call.message.page_size);
    let found = users::list(&admin.0, &asked, after, size.saturating_add(1)).await?;
    let (users, next_page_token) = list.page_by(found, size, |user| cursor(asked.order.place(user)));
    Ok(Response::new(ListUsersResponse { users: users.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Which users are asked for, and in which order.
fn user_list(request: &ListUsersRequest) -> Result<UserList, Error> {
    let role = Some(request.role.as_str()).filter(|role| !role.is_empty());
    let role = role.map(|role| convert::name("role", role)).transpose();
    let order = match request.order_by.as_str() {
        "" | "create_time desc" => Ok((UserTime::Created, true)),
        "create_time" => Ok((UserTime::Created, false)),
        "last_login_time desc" => Ok((UserTime::LastLogin, true)),
        "last_login_time" => Ok((UserTime::LastLogin, false)),
        _ => Err(Error::invalid("order_by", "must be one of the orders that there are")),
    };
    let (role, (by, descending)) = all((role, order))?;
    Ok(UserList {
        prefix: SearchPrefix::new(&request.query),
        state: match request.state() {
            State::Unspecified => None,
            State::Active => Some(UserState::Active),
            State::Suspended => Some(UserState::Suspended),
        },
        role,
        order: UserOrder { by, descending },
    })
}

/// A place as the bytes of a page token: the identifier, then the time, if there is one, in microseconds.
fn cursor(UserPlace { at, user_id }: UserPlace) -> Vec<u8> {
    let at = at.map(|at| at.timestamp_micros().to_be_bytes());
    user_id.uuid().as_bytes().iter().copied().chain(at.into_iter().flatten()).collect()
}

fn place(cursor: &[u8]) -> Result<UserPlace, Error> {
    let (id, at) = cursor.split_first_chunk::<16>().ok_or(Error::PageTokenInvalid)?;
    let time = |bytes: [u8; 8]| DateTime::<Utc>::from_timestamp_micros(i64::from_be_bytes(bytes));
    let at = match at {
        [] => None,
        at => Some(at.try_into().ok().and_then(time).ok_or(Error::PageTokenInvalid)?),
    };
    Ok(UserPlace { at, user_id: Uuid::from_bytes(*id).into() })
}
