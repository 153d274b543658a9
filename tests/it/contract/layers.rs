//! Imports point one way: downwards. Protobuf stops at `rpc`, SQL at `store`, and decisions sit in `policy`.

use std::collections::BTreeSet;

use super::sources::{Source, rust_files};

/// Which modules of the crate each may name, besides itself.
const MAY_IMPORT: [(&str, &[&str]); 22] = [
    ("main", &[]),
    ("lib", &[]),
    (
        "cli",
        &["app", "clock", "config", "database", "flows", "jobs", "model", "proto", "rpc", "service", "stderr", "store"],
    ),
    ("service", &["app", "flows", "jobs", "rpc"]),
    ("rpc", &["app", "clock", "error", "flows", "metrics", "model", "policy", "proto", "token"]),
    // One of them sends mail, and goes by whose fault it is when that fails.
    ("jobs", &["app", "clock", "config", "error", "flows", "mail", "model", "store"]),
    ("flows", &["app", "clock", "config", "error", "hashing", "mail", "model", "policy", "store", "token"]),
    // Puts the parts together, and has the flows load what must be in memory.
    (
        "app",
        &["clock", "config", "database", "error", "flows", "hashing", "mail", "metrics", "policy", "store", "token"],
    ),
    ("database", &["config", "error", "policy", "store"]),
    // What can go wrong, with the errors of the parts as causes.
    ("error", &["hashing", "model", "policy", "store", "token"]),
    // Its memory applies the rules of policy that its scripts and statements spell.
    ("store", &["certificates", "clock", "config", "model", "policy"]),
    ("token", &["clock", "config", "model"]),
    ("hashing", &["config", "model"]),
    ("mail", &["certificates", "config", "model", "stderr"]),
    ("certificates", &[]),
    // Of the clock, only how spans are added.
    ("policy", &["clock", "model"]),
    // Reads what the model has a form for, by the model's own rules.
    ("config", &["model"]),
    ("metrics", &["stderr"]),
    ("stderr", &[]),
    ("proto", &[]),
    ("clock", &[]),
    ("model", &[]),
];

/// Crates that only some modules may name.
const CONFINED: [(&[&str], &[&str]); 2] = [
    (
        &[
            "bb8",
            "bb8_redis",
            "diesel",
            "diesel_async",
            "diesel_migrations",
            "lru",
            "redis",
            "tokio_postgres",
            "tokio_postgres_rustls",
        ],
        &["store"],
    ),
    (
        &[
            "axum",
            "prost",
            "prost_protovalidate",
            "prost_reflect",
            "prost_types",
            "tonic",
            "tonic_health",
            "tonic_reflection",
            "tonic_types",
        ],
        &["rpc", "proto"],
    ),
];

/// What is let pass all the same: the file, what it names, and why.
const EXCEPTIONS: [(&str, &str, &str); 7] = [
    ("src/cli/health.rs", "tonic", "a client that asks another process, not a part of the server"),
    ("src/cli/health.rs", "tonic_health", "a client that asks another process, not a part of the server"),
    ("src/config.rs", "redis", "the section of that name, not the crate"),
    ("src/jobs.rs", "tonic_health", "hands on what the health job reports to"),
    ("src/jobs/health.rs", "tonic_health", "reports to the standard health service, which has no form but this"),
    ("src/jobs/redis_watch.rs", "tonic_health", "reports to the standard health service, which has no form but this"),
    ("src/service.rs", "tonic_health", "says, when it drains, that the service will not serve any more"),
];

#[test]
fn imports_point_downwards() {
    let mut violations = Vec::new();
    for source in rust_files("src") {
        let (_, allowed) = MAY_IMPORT.iter().find(|(module, _)| *module == source.module()).unwrap_or_else(|| {
            panic!("{} belongs to no layer: give it a place in MAY_IMPORT", source.path);
        });
        let imports: BTreeSet<_> = source.imports().into_iter().collect();
        let upwards = imports.iter().filter(|import| **import != source.module() && !allowed.contains(*import));
        violations.extend(upwards.map(|import| (source.path.clone(), (*import).to_owned())));
    }
    assert_eq!(but_exceptions(violations, is_module), [], "these files name modules above them");
}

#[test]
fn protobuf_stops_at_rpc_and_sql_at_store() {
    let mut violations = Vec::new();
    for source in rust_files("src") {
        let roots: BTreeSet<_> = source.roots().collect();
        for (crates, _) in CONFINED.iter().filter(|(_, modules)| !modules.contains(&source.module())) {
            let named = crates.iter().filter(|name| roots.contains(*name));
            violations.extend(named.map(|name| (source.path.clone(), (*name).to_owned())));
        }
    }
    assert_eq!(
        but_exceptions(violations, |name| !is_module(name)),
        [],
        "these files name crates that are not for them"
    );
}

#[test]
fn policies_are_pure() {
    for source in rust_files("src").iter().filter(|source| source.module() == "policy") {
        for word in ["async", "await", "tokio", "Clock", "SystemClock", "fs", "net", "env", "rand"] {
            assert!(!words(source).contains(word), "{} says `{word}`", source.path);
        }
    }
}

fn words(source: &Source) -> BTreeSet<&str> {
    source.code.split(|character: char| !character.is_alphanumeric() && character != '_').collect()
}

fn is_module(name: &str) -> bool {
    MAY_IMPORT.iter().any(|(module, _)| *module == name)
}

/// The violations but for the exceptions that `concern` the test, every one of which must still be needed.
fn but_exceptions(violations: Vec<(String, String)>, concern: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let exceptions = || EXCEPTIONS.iter().filter(|(_, name, _)| concern(name));
    let excuses = |violation: &(String, String), exception: &(&str, &str, &str)| {
        (violation.0.as_str(), violation.1.as_str()) == (exception.0, exception.1)
    };
    for exception in exceptions() {
        assert!(violations.iter().any(|violation| excuses(violation, exception)), "no longer needed: {exception:?}");
    }
    violations.into_iter().filter(|violation| !exceptions().any(|exception| excuses(violation, exception))).collect()
}
