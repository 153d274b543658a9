//! `database.url` on the command line: a URL that could drop a check of certificates in silence is refused.

use super::program::keyward;
use crate::harness::Settings;

/// A PEM file of one certificate.
const AUTHORITY: &str = include_str!("../../../src/store/pg/tls/authority.pem");

async fn checked(url: &str) -> (Option<i32>, String) {
    let ran =
        keyward(&Settings::default().set("mail.transport", "log").set("database.url", url), &["check-config"], "")
            .await;
    let told = ran.out + &ran.err;
    assert!(!told.contains("s3cret"), "{url}: {told}");
    (ran.code, told)
}

#[tokio::test]
async fn a_url_that_could_drop_a_check_is_refused_without_showing_it() {
    for parameters in [
        "sslmode=verify-full&sslmode=disable",
        "sslmode=verify-full&ssl%6Dode=disable",
        "sslmode=Verify-Full",
        "sslmode=verify-full%23",
        "SSLMODE=verify-full",
        "sslrootcert=/ca.pem",
        "sslmode=prefer&sslrootcert=/ca.pem",
        "sslmode=verify-full&sslrootcert=",
        "sslmode=verify-full&host=/run/postgresql",
    ] {
        let (code, told) = checked(&format!("postgres://u:s3cret@db.example.com/keyward?{parameters}")).await;
        assert_eq!(code, Some(1), "{parameters}: {told}");
        assert!(told.contains("database.url"), "{parameters}: {told}");
    }
    let (code, told) = checked("host=db.example.com password=s3cret sslmode=verify-full").await;
    assert_eq!(code, Some(1), "{told}");
}

#[tokio::test]
async fn a_file_of_authorities_is_used_whole_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let url = |name: &str| {
        let path = directory.path().join(name).to_str().unwrap().replace('/', "%2F");
        format!("postgres://u:s3cret@db.example.com/keyward?sslmode=verify-full&sslrootcert={path}")
    };
    std::fs::write(directory.path().join("good.pem"), AUTHORITY.repeat(2)).unwrap();
    let spoilt = format!("{AUTHORITY}{}{AUTHORITY}", AUTHORITY.replace("MII", "AAA"));
    std::fs::write(directory.path().join("spoilt.pem"), spoilt).unwrap();
    let (code, told) = checked(&url("good.pem")).await;
    assert_eq!(code, Some(0), "{told}");
    for name in ["missing.pem", "spoilt.pem"] {
        let (code, told) = checked(&url(name)).await;
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(told.contains("certificates"), "{name}: {told}");
    }
}
