//! Who the client is: the TCP peer, or the address that trusted proxies name.

use std::net::{IpAddr, SocketAddr};

use http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use http::{HeaderMap, Request};
use ipnet::IpNet;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;

use super::{Gate, trace};
use crate::error::Error;
use crate::model::locale::Locale;
use crate::model::origin::Origin;

/// What is kept of a `user-agent`, in characters.
const MAX_USER_AGENT: usize = 256;

/// Leaves the [`Origin`] of the call.
pub(in crate::rpc) async fn peer(gate: Gate, mut request: Request<Body>) -> Result<Request<Body>, Error> {
    let connection = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    let peer = connection.ok_or_else(|| Error::internal("a call came without a peer address"))?;
    let ip_address = client_address(peer, request.headers(), &gate.app.config.server.trusted_proxies)?;
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let user_agent = text(USER_AGENT).chars().take(MAX_USER_AGENT).collect();
    let locale = Locale::from_accept_language(text(ACCEPT_LANGUAGE));
    request.extensions_mut().insert(Origin { ip_address, user_agent, locale, request_id: trace::request_id() });
    Ok(request)
}

/// The rightmost address that is not a trusted proxy. A stranger's header is not looked at; a trusted proxy's that cannot
/// be read is refused, since any guess at the client would be somebody else.
fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Result<IpAddr, Error> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.ip().to_canonical();
    let mut values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    while is_trusted(&client) {
        let Some(value) = values.pop() else { break };
        let value = value.to_str().map_err(|_| garbage())?;
        for entry in value.rsplit(',') {
            client = address(entry.trim()).ok_or_else(garbage)?;
            if !is_trusted(&client) {
                return Ok(client);
            }
        }
    }
    Ok(client)
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    let address = text.parse().ok().or_else(bare).or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

fn garbage() -> Error {
    Error::invalid("metadata.x-forwarded-for", "must be a list of IP addresses")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{HeaderMap, IpAddr, client_address};

    fn client(peer: &str, forwarded: &[&str]) -> Option<IpAddr> {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &trusted).ok()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_stranger_is_who_it_is_whatever_it_says() {
        assert_eq!(client("192.0.2.1:1", &["198.51.100.7"]), Some(ip("192.0.2.1")));
        assert_eq!(client("192.0.2.1:1", &["garbage"]), Some(ip("192.0.2.1")));
    }

    #[test]
    fn behind_trusted_proxies_the_rightmost_stranger_is_the_client() {
        assert_eq!(client("10.0.0.1:1", &[]), Some(ip("10.0.0.1")));
        assert_eq!(client("10.0.0.1:1", &["198.51.100.7"]), Some(ip("198.51.100.7")));
        assert_eq!(client("10.0.0.1:1", &["198.51.100.7, 10.0.0.2"]), Some(ip("198.51.100.7")));
        assert_eq!(client("10.0.0.1:1", &["203.0.113.9, 198.51.100.7", "10.0.0.3"]), Some(ip("198.51.100.7")));
        assert_eq!(client("10.0.0.1:1", &["garbage, 198.51.100.7"]), Some(ip("198.51.100.7")));
        assert_eq!(client("[fd00::1]:1", &["[2001:db8::1]:443"]), Some(ip("2001:db8::1")));
    }

    #[test]
    fn mapped_addresses_are_folded() {
        assert_eq!(client("[::ffff:192.0.2.1]:1", &[]), Some(ip("192.0.2.1")));
        assert_eq!(client("[::ffff:10.0.0.1]:1", &["::ffff:198.51.100.7"]), Some(ip("198.51.100.7")));
    }

    #[test]
    fn garbage_from_a_trusted_proxy_is_refused() {
        assert_eq!(client("10.0.0.1:1", &["unknown"]), None);
        assert_eq!(client("10.0.0.1:1", &["198.51.100.7, "]), None);
    }
}
