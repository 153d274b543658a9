//! The database URL: read once, here, so that no two readers can differ in what they make of it.
//!
//! The rules are libpq's. The driver is given what was read as keywords and values, never the URL itself: its own reader
//! takes an `@` in a parameter for the end of the credentials. What libpq forgives is refused where it could weaken a check
//! of certificates: a parameter given twice, or one whose value is empty.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::connect::ConnectError;
use super::tls::Verification;

/// What a database URL says.
pub(super) struct DatabaseUrl {
    /// All but the hosts.
    pub(super) config: Config,
    pub(super) hosts: Vec<HostAddress>,
    /// `load_balance_hosts=random`.
    pub(super) hosts_at_random: bool,
    /// `connect_timeout`: how long one host may take.
    pub(super) connect_timeout: Option<Duration>,
    pub(super) verification: Verification,
    set: Vec<String>,
}

/// One host of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostAddress {
    /// Its name, its address, or the directory of a socket.
    pub(super) host: String,
    /// `hostaddr`: where it is, without a look-up.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

impl HostAddress {
    pub(super) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

const DEFAULT_PORT: u16 = 5432;

impl DatabaseUrl {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        let (authority, mut parameters) = split(url)?;
        let set = parameters.keys().cloned().collect();
        let hosts = hosts(&authority, &mut parameters)?;
        let (mode, verification) = verification(&mut parameters)?;
        if mode == SslMode::Require && hosts.iter().any(HostAddress::is_socket) {
            return Err(ConnectError::part("sslmode", "demands TLS, which a socket does not have"));
        }
        let hosts_at_random = match parameters.remove("load_balance_hosts").as_deref() {
            None | Some("disable") => false,
            Some("random") => true,
            Some(_) => return Err(ConnectError::part("load_balance_hosts", "is neither disable nor random")),
        };
        let connect_timeout = whole_number(&mut parameters, "connect_timeout")?.map(Duration::from_secs);
        // In milliseconds, as libpq has it and the driver does not.
        let tcp_user_timeout = whole_number(&mut parameters, "tcp_user_timeout")?.map(Duration::from_millis);
        let mut config: Config = keywords(&authority, &parameters)?.parse().map_err(ConnectError::Url)?;
        config.ssl_mode(mode);
        if let Some(password) =
            parameters.get("password").map(|value| value.clone().into_bytes()).or(authority.password)
        {
            config.password(password);
        }
        if let Some(timeout) = tcp_user_timeout {
            config.tcp_user_timeout(timeout);
        }
        Ok(Self { config, hosts, hosts_at_random, connect_timeout, verification, set })
    }

    /// Whether the URL has this parameter.
    pub(super) fn sets(&self, parameter: &str) -> bool {
        self.set.iter().any(|set| set == parameter)
    }

    /// How long opening a connection may take: as long as a call waits for one, or longer where the one host may.
    pub(super) fn patience(&self, acquire_timeout: Duration) -> Duration {
        match (self.connect_timeout, self.hosts.len()) {
            (Some(timeout), 1) => timeout.max(acquire_timeout),
            _ => acquire_timeout,
        }
    }
}

/// What stands before the parameters.
struct Authority {
    user: Option<String>,
    password: Option<Vec<u8>>,
    hosts: Vec<(String, Option<u16>)>,
    database: Option<String>,
}

fn split(url: &str) -> Result<(Authority, BTreeMap<String, String>), ConnectError> {
    let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or_else(|| ConnectError::part("the scheme", "is neither postgres:// nor postgresql://"))?;
    // As in libpq, credentials end at an @ that comes before any slash.
    let (credentials, rest) = match rest.split_once('@') {
        Some((credentials, rest)) if !credentials.contains('/') => (Some(credentials), rest),
        _ => (None, rest),
    };
    // libpq would take the parameters before an @ for a part of the user's name.
    if credentials.is_some_and(|credentials| credentials.contains('?')) {
        return Err(ConnectError::part("a question mark before an @", "has to be written as %3F, or the @ as %40"));
    }
    let (user, password) =
        match credentials.map(|text| text.split_once(':').map_or((text, None), |(u, p)| (u, Some(p)))) {
            Some((user, password)) => (Some(decoded("the user", user)?), password.map(bytes_of).transpose()?),
            None => (None, None),
        };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (hosts, database) = rest.split_once('/').map_or((rest, None), |(hosts, name)| (hosts, Some(name)));
    let hosts =
        if hosts.is_empty() { Vec::new() } else { hosts.split(',').map(host_and_port).collect::<Result<_, _>>()? };
    let database = database.filter(|name| !name.is_empty()).map(|name| decoded("the database", name)).transpose()?;
    let mut parameters = BTreeMap::new();
    for pair in query.into_iter().filter(|query| !query.is_empty()).flat_map(|query| query.split('&')) {
        let (key, value) = pair.split_once('=').ok_or_else(|| ConnectError::part("a parameter", "has no value"))?;
        let (key, value) = (decoded("a parameter", key)?, decoded("a parameter", value)?);
        // libpq's name for it, and the driver's.
        let key = if key == "keepalives_count" { "keepalives_retries".to_owned() } else { key };
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            return Err(ConnectError::part("a parameter", "has a name that PostgreSQL does not know"));
        }
        if parameters.insert(key.clone(), value).is_some() {
            return Err(ConnectError::part(key, "is given twice"));
        }
    }
    Ok((Authority { user: user.filter(|user| !user.is_empty()), password, hosts, database }, parameters))
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), ConnectError> {
    let malformed = || ConnectError::part("a host", "is malformed");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(malformed)?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(malformed)?) })
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.filter(|port| !port.is_empty()).map(|port| port_of(&decoded("a port", port)?)).transpose()?;
    Ok((decoded("a host", host)?, port))
}

fn port_of(text: &str) -> Result<u16, ConnectError> {
    let port = if text.is_empty() { Ok(DEFAULT_PORT) } else { text.parse() };
    port.ok().filter(|port| *port != 0).ok_or_else(|| ConnectError::part("a port", "is no port"))
}

/// The hosts of the URL; `host`, `hostaddr` and `port` come before what stands in its authority, as in libpq.
fn hosts(authority: &Authority, parameters: &mut BTreeMap<String, String>) -> Result<Vec<HostAddress>, ConnectError> {
    let mut listed = |name: &str| -> Option<Vec<String>> {
        Some(parameters.remove(name)?.split(',').map(ToOwned::to_owned).collect())
    };
    let (names, addresses, ports) = (listed("host"), listed("hostaddr"), listed("port"));
    let names = names.unwrap_or_else(|| authority.hosts.iter().map(|(host, _)| host.clone()).collect());
    let addresses = addresses.unwrap_or_default();
    let addresses = addresses.iter().map(|address| address.parse::<IpAddr>()).collect::<Result<Vec<_>, _>>();
    let addresses = addresses.map_err(|_| ConnectError::part("hostaddr", "is no address"))?;
    let ports = match ports {
        Some(ports) => ports.iter().map(|port| port_of(port)).collect::<Result<Vec<_>, _>>()?,
        None => authority.hosts.iter().map(|(_, port)| port.unwrap_or(DEFAULT_PORT)).collect(),
    };
    // An address without a name is its own name, which certificates are compared with.
    let names = if names.is_empty() { addresses.iter().map(ToString::to_string).collect() } else { names };
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(ConnectError::part("the host", "is missing"));
    }
    if !addresses.is_empty() && addresses.len() != names.len() {
        return Err(ConnectError::part("hostaddr", "has not as many addresses as there are hosts"));
    }
    if ports.len() > 1 && ports.len() != names.len() {
        return Err(ConnectError::part("port", "has not as many ports as there are hosts"));
    }
    let port = |index| ports.get(index).or_else(|| ports.first()).copied().unwrap_or(DEFAULT_PORT);
    let host = |(index, host)| HostAddress { host, address: addresses.get(index).copied(), port: port(index) };
    Ok(names.into_iter().enumerate().map(host).collect())
}

/// What `sslmode` and `sslrootcert` ask for. A file of authorities that no check would use is refused.
fn verification(parameters: &mut BTreeMap<String, String>) -> Result<(SslMode, Verification), ConnectError> {
    let mode = parameters.remove("sslmode");
    let root_file = parameters.remove("sslrootcert");
    if root_file.as_deref() == Some("") {
        return Err(ConnectError::part("sslrootcert", "is empty"));
    }
    let system = root_file.as_deref() == Some("system");
    match (mode.as_deref(), root_file) {
        (Some("verify-full"), root_file) => {
            Ok((SslMode::Require, Verification::Certificate { host_name: true, root_file }))
        }
        // As in libpq, the system's authorities sign for anyone, so that only the host's name tells who is there.
        (None, root_file @ Some(_)) if system => {
            Ok((SslMode::Require, Verification::Certificate { host_name: true, root_file }))
        }
        (Some(_), Some(_)) if system => Err(ConnectError::part("sslrootcert=system", "needs sslmode=verify-full")),
        // As in libpq, naming the authorities asks for them to be used.
        (Some("verify-ca"), root_file) | (Some("require"), root_file @ Some(_)) => {
            Ok((SslMode::Require, Verification::Certificate { host_name: false, root_file }))
        }
        (_, Some(_)) => Err(ConnectError::part("sslrootcert", "needs sslmode=require, verify-ca or verify-full")),
        (Some("require"), None) => Ok((SslMode::Require, Verification::None)),
        // The driver has no `allow`; `prefer` differs only in what it tries first.
        (Some("prefer" | "allow") | None, None) => Ok((SslMode::Prefer, Verification::None)),
        (Some("disable"), None) => Ok((SslMode::Disable, Verification::None)),
        (Some(_), None) => Err(ConnectError::part("sslmode", "is none that PostgreSQL knows")),
    }
}

/// A number above 0; 0 and less stand for the default.
fn whole_number(parameters: &mut BTreeMap<String, String>, name: &str) -> Result<Option<u64>, ConnectError> {
    let Some(text) = parameters.remove(name) else { return Ok(None) };
    let number: i64 = text.parse().map_err(|_| ConnectError::part(name, "is no whole number"))?;
    Ok(u64::try_from(number).ok().filter(|number| *number > 0))
}

/// The rest, in the driver's other form, in which nothing has two meanings.
fn keywords(authority: &Authority, parameters: &BTreeMap<String, String>) -> Result<String, ConnectError> {
    let named = [("user", &authority.user), ("dbname", &authority.database)];
    let named = named.into_iter().filter(|(key, _)| !parameters.contains_key(*key));
    let named = named.filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let given = parameters.iter().filter(|(key, _)| *key != "password").map(|(key, value)| (key.as_str(), value));
    let mut text = String::new();
    for (key, value) in named.chain(given) {
        if value.contains('\0') {
            return Err(ConnectError::part(key, "contains a NUL"));
        }
        let value = value.replace('\\', r"\\").replace('\'', r"\'");
        text.extend([key, "='", &value, "' "]);
    }
    Ok(text)
}

fn decoded(part: &'static str, text: &str) -> Result<String, ConnectError> {
    String::from_utf8(bytes_of(text)?).map_err(|_| ConnectError::part(part, "is not in UTF-8"))
}

/// Undoes percent-encoding. A percent sign without two digits is refused, as in libpq.
fn bytes_of(text: &str) -> Result<Vec<u8>, ConnectError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let value = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(
            value.ok_or_else(|| ConnectError::part("a percent sign", "has no two hexadecimal digits behind it"))?,
        );
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use tokio_postgres::config::{SslMode, TargetSessionAttrs};

    use super::{DatabaseUrl, HostAddress};
    use crate::store::pg::tls::Verification;

    fn parsed(url: &str) -> DatabaseUrl {
        DatabaseUrl::parse(url).map_err(|error| format!("{url}: {error}")).unwrap()
    }

    fn checked(url: &str) -> (SslMode, Verification) {
        let url = parsed(url);
        (url.config.get_ssl_mode(), url.verification)
    }

    fn full(root_file: Option<&str>) -> (SslMode, Verification) {
        (SslMode::Require, Verification::Certificate { host_name: true, root_file: root_file.map(ToOwned::to_owned) })
    }

    fn host(host: &str, port: u16) -> HostAddress {
        HostAddress { host: host.to_owned(), address: None, port }
    }

    #[test]
    fn all_parts_are_read() {
        let url = parsed(
            "postgresql://al%69ce:s%2F%3A%40%27%5C@db1:6432,[::1],db3/a%20b?application_name=x%26y&connect_timeout=3\
             &target_session_attrs=read-write&tcp_user_timeout=2500&keepalives_count=7&options=-c%20a%3D%27b%27",
        );
        assert_eq!(url.config.get_user(), Some("alice"));
        assert_eq!(url.config.get_password(), Some(br"s/:@'\".as_slice()));
        assert_eq!(url.config.get_dbname(), Some("a b"));
        assert_eq!(url.config.get_application_name(), Some("x&y"));
        assert_eq!(url.config.get_options(), Some("-c a='b'"));
        assert_eq!(url.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(url.config.get_tcp_user_timeout(), Some(&Duration::from_millis(2500)));
        assert_eq!(url.config.get_keepalives_retries(), Some(7));
        assert_eq!(url.connect_timeout, Some(Duration::from_secs(3)));
        assert_eq!(url.hosts, [host("db1", 6432), host("::1", 5432), host("db3", 5432)]);
        assert!(url.sets("tcp_user_timeout") && url.sets("keepalives_retries") && !url.sets("keepalives_idle"));
    }

    #[test]
    fn parameters_come_before_the_authority_and_sockets_are_hosts() {
        assert_eq!(parsed("postgres://u@localhost/d?host=/run/pg").hosts, [host("/run/pg", 5432)]);
        assert_eq!(parsed("postgres://u@%2Frun%2Fpg:6000/d").hosts, [host("/run/pg", 6000)]);
        let url = parsed("postgres:///d?user=u&password=p&host=a,b&port=1,2&hostaddr=10.0.0.1,::1");
        assert_eq!(url.config.get_user(), Some("u"));
        assert_eq!(url.config.get_password(), Some(b"p".as_slice()));
        let address = |text: &str| Some(text.parse().unwrap());
        let (a, b) = (host("a", 1), host("b", 2));
        assert_eq!(
            url.hosts,
            [HostAddress { address: address("10.0.0.1"), ..a }, HostAddress { address: address("::1"), ..b }]
        );
        assert_eq!(
            parsed("postgres:///d?hostaddr=10.0.0.1&sslmode=verify-full").hosts[..],
            [HostAddress { address: address("10.0.0.1"), ..host("10.0.0.1", 5432) }]
        );
    }

    #[test]
    fn certificates_are_checked_where_the_url_asks_for_it() {
        assert_eq!(checked("postgres://h/d?sslmode=verify-full"), full(None));
        assert_eq!(checked("postgres://h/d?sslmode=verify-full&sslrootcert=%2Fa%20b%25.pem"), full(Some("/a b%.pem")));
        // However it is written.
        assert_eq!(checked("postgres://h/d?ssl%6Dode=verify%2Dfull"), full(None));
        assert_eq!(checked("postgres://h/d?application_name=a@b&sslmode=verify-full"), full(None));
        assert_eq!(checked("postgres://u:a%3Fb@h/d?sslmode=verify-full"), full(None));
        assert_eq!(checked("postgres://h?sslmode=verify-full"), full(None));
        assert_eq!(checked("postgres://h/d?sslrootcert=system"), full(Some("system")));
        let ca = Verification::Certificate { host_name: false, root_file: Some("/ca".to_owned()) };
        assert_eq!(checked("postgres://h/d?sslmode=require&sslrootcert=/ca"), (SslMode::Require, ca.clone()));
        assert_eq!(checked("postgres://h/d?sslmode=verify-ca&sslrootcert=/ca"), (SslMode::Require, ca));
        assert_eq!(checked("postgres://h/d"), (SslMode::Prefer, Verification::None));
        assert_eq!(checked("postgres://h/d?sslmode=disable"), (SslMode::Disable, Verification::None));
    }

    #[test]
    fn what_could_weaken_a_check_is_refused() {
        for url in [
            "postgres://h/d?sslmode=verify-full&sslmode=disable",
            "postgres://h/d?sslmode=disable&sslmode=verify-full",
            "postgres://h/d?sslmode=verify-full&ssl%6Dode=disable",
            "postgres://h/d?sslmode=Verify-Full",
            "postgres://h/d?SSLMODE=verify-full",
            "postgres://h/d?sslmode=verify-full#x",
            "postgres://h/d?sslmode=",
            "postgres://h/d?sslmode",
            "postgres://h/d?sslmode=verify",
            "postgres://h/d?sslmode=verify-full;sslrootcert=/ca",
            "postgres://h?sslmode=verify-full&application_name=a@b",
            "postgres://u:a?b@h/d?sslmode=verify-full",
            "postgres://h/d?sslrootcert=/ca",
            "postgres://h/d?sslmode=prefer&sslrootcert=/ca",
            "postgres://h/d?sslmode=disable&sslrootcert=/ca",
            "postgres://h/d?sslmode=verify-full&sslrootcert=",
            "postgres://h/d?sslmode=require&sslrootcert=system",
            "postgres://h/d?sslmode=verify-full&sslcert=/c",
            "postgres://h/d?sslmode=verify-full&host=/run/pg",
            "postgres://h/d?sslmode=verify-full&application_name=%zz",
            "POSTGRES://h/d?sslmode=verify-full",
            "host=h sslmode=verify-full",
            "postgres:///d?sslmode=verify-full",
            "postgres://a,,b/d",
            "postgres://h:0/d",
            "postgres://h:x/d",
            "postgres://a,b/d?port=1,2,3",
            "postgres://a,b/d?hostaddr=10.0.0.1",
            "postgres://h/d?connect_timeout=soon",
        ] {
            assert!(DatabaseUrl::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn one_host_may_take_as_long_as_the_url_says_and_several_share() {
        let second = Duration::from_secs(1);
        assert_eq!(parsed("postgres://a/d").patience(2 * second), 2 * second);
        assert_eq!(parsed("postgres://a/d?connect_timeout=9").patience(2 * second), 9 * second);
        assert_eq!(parsed("postgres://a/d?connect_timeout=1").patience(2 * second), 2 * second);
        assert_eq!(parsed("postgres://a,b/d?connect_timeout=9").patience(2 * second), 2 * second);
    }
}
