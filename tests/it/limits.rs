//! Limits that hold: throttles, lockouts, and what becomes of them when Redis goes away.
//!
//! Devices here come from wherever they say, through a trusted proxy.

mod accounts;
mod allowed;
mod cancelled;
mod cluster;
mod cost;
mod hygiene;
mod in_flight;
mod known_devices;
mod known_services;
mod listing;
mod lockouts;
mod model;
mod networks;
mod office;
mod redis_away;
mod redis_moved;
mod sessions;
mod throttles;

use keyward::config::MasterKeys;
use keyward::token::master::Master;
use keyward::token::reset::ResetToken;
use secrecy::ExposeSecret;

use crate::harness::{Device, Refusal, Replica, Settings, TestApp};

/// What is good in form and names nothing.
const NO_ID: &str = "0190b6c0-1d5f-7a3c-8f00-4b2f6f1c9d11";

/// The master key of every service here.
const MASTER_KEY: &str = "VwQ1s0dPDfZ8mT4uX2hY6kRj9bNcLqEoGiHtUvWxZaM=";

/// A reset token of ours, for a reset that there is not.
fn no_reset_token() -> String {
    let master = Master::new(&MasterKeys::parse(MASTER_KEY).unwrap()).unwrap();
    ResetToken { reset_id: NO_ID.parse().unwrap() }.issue(&master).expose_secret().to_owned()
}

/// Settings of a service behind a proxy on this machine.
fn behind_a_proxy() -> Settings {
    Settings::default().set("server.trusted_proxies", "127.0.0.0/8").set("master_key", MASTER_KEY)
}

/// A service with nothing but throttles.
fn throttled() -> Settings {
    behind_a_proxy().set("throttle.enabled", "true")
}

/// A service with nothing but lockouts.
fn locking() -> Settings {
    behind_a_proxy().set("lockout.enabled", "true")
}

/// An installation of a client at an address.
fn client(replica: &Replica, device_id: &str, address: &str) -> Device {
    replica.device(device_id).with("x-forwarded-for", address)
}

/// The same, of the first replica.
fn device_at(app: &TestApp, device_id: &str, address: &str) -> Device {
    client(app.first(), device_id, address)
}

/// The operations with limits of their own, by a call of each that does no good, and its number makes different from others.
const OPERATIONS: [&str; 8] = [
    "register",
    "resend_code",
    "verify_email",
    "login",
    "refresh",
    "request_password_reset",
    "verify_password_reset",
    "reset_password",
];

/// Calls the method of an operation, as somebody who guesses.
async fn guess(operation: &str, device: &Device, number: usize) -> Result<(), Refusal> {
    let email = format!("somebody-{number}@example.com");
    match operation {
        "register" => device.register(&email).await.map(drop),
        "resend_code" => device.resend_code(NO_ID).await.map(drop),
        "verify_email" => device.verify_email(NO_ID, "123456").await.map(drop),
        "login" => device.login(&email).await.map(drop),
        "refresh" => device.refresh("kwr_forged").await.map(drop),
        "request_password_reset" => device.request_password_reset(&email).await.map(drop),
        "verify_password_reset" => device.verify_reset_code(NO_ID, "123456").await.map(drop),
        "reset_password" => device.reset_password(&no_reset_token(), "nine herons under the bridge").await,
        "standard" => device.get_origin().await.map(drop),
        _ => panic!("{operation} is no operation"),
    }
}

/// Whether a call was let through by every limit, whatever came of it then.
fn was_let_through(outcome: &Result<(), Refusal>) -> bool {
    !matches!(outcome, Err(refusal) if ["THROTTLED", "LOCKED_OUT"].contains(&refusal.reason()))
}
