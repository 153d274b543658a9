//! SessionService: tokens and the devices that hold them.

mod get_origin;
mod introspect_token;
mod json_web_key_set;
mod list_sessions;
mod logout;
mod look_ups;
mod restored;
mod revocation_feed;
mod revoke_all_sessions;
mod revoke_session;
mod watch_revocations;
