//! The URL of Redis: the one place that reads it. Several URLs, separated by commas, are nodes of one cluster, as is one with
//! `?cluster=true`.
//!
//! The client ignores what it does not know. Here that is refused, because a part that is ignored may be the one that asked for
//! encryption or a check.

use secrecy::SecretString;
use url::Url;

/// The schemes of URLs that the client understands.
const SCHEMES: [&str; 7] = ["redis", "rediss", "valkey", "valkeys", "redis+unix", "valkey+unix", "unix"];

/// Where Redis is.
#[derive(Clone, Debug)]
pub struct RedisUrl {
    /// Each node, in the form that the client reads.
    pub nodes: Vec<SecretString>,
    /// Whether the nodes are of a cluster.
    pub is_cluster: bool,
    /// Whether connections use TLS.
    pub is_encrypted: bool,
}

/// Why a text is not taken as the URL of Redis. No variant holds a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlInvalid {
    /// Another scheme, or none.
    #[error("must begin with one of redis:// rediss:// valkey:// valkeys:// redis+unix:// valkey+unix:// unix://")]
    Scheme,
    /// Not a URL.
    #[error("must be a URL; write special characters of a user or a password in percent-encoding (RFC 3986)")]
    Malformed,
    /// No host.
    #[error("must name a host")]
    Host,
    /// A path that is no number.
    #[error("must have no path but the number of a database")]
    Database,
    /// An unknown parameter, an unknown value, or a parameter twice.
    #[error(
        "knows the parameters cluster=true and protocol=resp2 or resp3, each once, and for a socket db, user and pass"
    )]
    Parameter,
    /// A fragment: `#insecure`, or a number sign in a password.
    #[error("must have no `#`: the check of a certificate cannot be switched off, and a password has it as %23")]
    Fragment,
    /// Some nodes with TLS, some without.
    #[error("must have the same scheme for all nodes: the client encrypts for all or for none")]
    Mixed,
}

impl RedisUrl {
    /// Reads one URL, or several.
    ///
    /// # Errors
    /// [`RedisUrlInvalid`], with the first part that is not taken.
    pub fn parse(text: &str) -> Result<Self, RedisUrlInvalid> {
        let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
        let urls: Vec<Url> = urls.map(read).collect::<Result<_, _>>()?;
        let first = urls.first().ok_or(RedisUrlInvalid::Scheme)?;
        if urls.iter().any(|url| url.scheme() != first.scheme()) {
            return Err(RedisUrlInvalid::Mixed);
        }
        let is_encrypted = matches!(first.scheme(), "rediss" | "valkeys");
        let is_cluster = urls.len() > 1 || urls.iter().any(|url| has(url, "cluster", "true"));
        let nodes = urls.into_iter().map(without_flag).collect();
        Ok(Self { nodes, is_cluster, is_encrypted })
    }
}

fn read(text: &str) -> Result<Url, RedisUrlInvalid> {
    let (scheme, _) = text.split_once("://").ok_or(RedisUrlInvalid::Scheme)?;
    if !SCHEMES.contains(&scheme) {
        return Err(RedisUrlInvalid::Scheme);
    }
    let url = Url::parse(text).map_err(|_| RedisUrlInvalid::Malformed)?;
    if url.fragment().is_some() {
        return Err(RedisUrlInvalid::Fragment);
    }
    let is_socket = scheme.ends_with("unix");
    if !is_socket && url.host_str().unwrap_or_default().is_empty() {
        return Err(RedisUrlInvalid::Host);
    }
    let database = url.path().trim_matches('/');
    if !is_socket && !database.is_empty() && database.parse::<u32>().is_err() {
        return Err(RedisUrlInvalid::Database);
    }
    let mut known = Vec::new();
    for (name, value) in url.query_pairs() {
        let fits = match &*name {
            "cluster" => matches!(&*value, "true" | "false") && !is_socket,
            "protocol" => matches!(&*value, "2" | "resp2" | "3" | "resp3"),
            "db" => is_socket && value.parse::<u32>().is_ok(),
            "user" | "pass" => is_socket,
            _ => false,
        };
        if !fits || known.contains(&name) {
            return Err(RedisUrlInvalid::Parameter);
        }
        known.push(name);
    }
    drop(known);
    Ok(url)
}

fn has(url: &Url, name: &str, value: &str) -> bool {
    url.query_pairs().any(|pair| pair == (name.into(), value.into()))
}

/// The URL without `cluster`, which the client does not know.
fn without_flag(mut url: Url) -> SecretString {
    let is_flag = |pair: &&str| pair.split('=').next() == Some("cluster");
    let rest = url.query().map(|query| query.split('&').filter(|pair| !is_flag(pair)).collect::<Vec<_>>().join("&"));
    url.set_query(rest.as_deref().filter(|query| !query.is_empty()));
    SecretString::from(String::from(url))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use secrecy::ExposeSecret;

    use super::{RedisUrl, RedisUrlInvalid};

    fn read(text: &str) -> (Vec<String>, bool, bool) {
        let url = RedisUrl::parse(text).unwrap();
        let nodes = url.nodes.iter().map(|node| node.expose_secret().to_owned()).collect();
        (nodes, url.is_cluster, url.is_encrypted)
    }

    #[test]
    fn one_url_is_one_redis_unless_it_says_cluster_and_several_are_a_cluster() {
        let nodes = |nodes: &[&str]| nodes.iter().map(|node| (*node).to_owned()).collect::<Vec<_>>();
        let expected = |urls: &[&str], cluster, encrypted| (nodes(urls), cluster, encrypted);
        assert_eq!(
            read("redis://:secret@127.0.0.1:6379/3"),
            expected(&["redis://:secret@127.0.0.1:6379/3"], false, false)
        );
        assert_eq!(
            read("rediss://a?cluster=true&protocol=resp3"),
            expected(&["rediss://a?protocol=resp3"], true, true)
        );
        assert_eq!(read("redis://a?protocol=3&cluster=true"), expected(&["redis://a?protocol=3"], true, false));
        assert_eq!(read("redis://a?cluster=false"), expected(&["redis://a"], false, false));
        assert_eq!(read("redis://a:1, redis://b:2,"), expected(&["redis://a:1", "redis://b:2"], true, false));
        assert_eq!(read("unix:///run/redis.sock?db=1"), expected(&["unix:///run/redis.sock?db=1"], false, false));
        // A password is not taken for a flag.
        assert!(!read("redis://:cluster%3Dtrue@a").1);
    }

    #[test]
    fn what_the_client_would_ignore_is_refused() {
        for (url, reason) in [
            ("", RedisUrlInvalid::Scheme),
            ("host:6379", RedisUrlInvalid::Scheme),
            ("http://host", RedisUrlInvalid::Scheme),
            ("redis://", RedisUrlInvalid::Host),
            ("redis://:hunter2@host:port", RedisUrlInvalid::Malformed),
            ("redis://host/zero", RedisUrlInvalid::Database),
            ("rediss://host#insecure", RedisUrlInvalid::Fragment),
            ("rediss://host/#insecure", RedisUrlInvalid::Fragment),
            ("redis://host?ssl=true", RedisUrlInvalid::Parameter),
            ("rediss://host?ssl_cert_reqs=required", RedisUrlInvalid::Parameter),
            ("redis://host?cluster=yes", RedisUrlInvalid::Parameter),
            ("redis://host?protocol=resp3&protocol=resp2", RedisUrlInvalid::Parameter),
            ("rediss://a,redis://b", RedisUrlInvalid::Mixed),
            ("redis://a,rediss://b", RedisUrlInvalid::Mixed),
        ] {
            assert_eq!(RedisUrl::parse(url).unwrap_err(), reason, "{url}");
        }
    }
}
