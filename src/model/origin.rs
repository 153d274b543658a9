//! Where a request comes from, as far as its headers tell.

use std::net::IpAddr;

use super::device::DeviceId;
use super::locale::Locale;

/// The client of a request, behind any trusted proxies.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The client's address; IPv4-mapped IPv6 addresses are folded to IPv4.
    pub ip_address: IpAddr,
    /// The `user-agent` header, cut to 256 characters; empty when absent.
    pub user_agent: String,
    /// The language asked for by `accept-language`.
    pub locale: Option<Locale>,
    /// The request id, under which the log has the call.
    pub request_id: String,
}

/// An origin together with the device that it names: what every flow of a device-bound method is given.
#[derive(Clone, Debug)]
pub struct DeviceOrigin {
    /// Where the request comes from.
    pub origin: Origin,
    /// The `device-id` header.
    pub device_id: DeviceId,
}
