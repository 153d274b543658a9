//! The list of lockouts among many rows that lock nothing.

use std::time::Duration;

use keyward::proto::keyward::v1::lockout::Cause;

use super::{list, locking};
use crate::admin::service;
use crate::harness::TestApp;

/// 20,000 accounts and networks that were locked or failed at once, and some that are locked now: by their end, and by their
/// hash where that is the same. Three accounts stay locked until a reset, whether or not a lock of theirs has an end.
const ROWS: &str = "
    INSERT INTO account_lockouts (address_hash, device_id, attempted_at, failures_in_a_row, locks, locked_until, expires_at)
    SELECT sha256(('stale ' || i)::bytea), '', ARRAY[$1::timestamptz], 1 + i % 90, 1,
        CASE WHEN i % 2 = 0 THEN $1 - make_interval(secs => i) END, $1 + interval '1 day'
    FROM generate_series(1, 20000) i
    UNION ALL
    SELECT sha256(('locked ' || i)::bytea), CASE WHEN i % 2 = 0 THEN 'phone' ELSE '' END, ARRAY[$1], 10 + i, 1,
        $1 + make_interval(secs => i / 3), $1 + interval '1 day'
    FROM generate_series(0, 29) i
    UNION ALL
    SELECT sha256(('for good ' || i)::bytea), '', ARRAY[$1], 100 + i / 2, 1,
        CASE i WHEN 0 THEN NULL WHEN 1 THEN $1 - interval '1 second' ELSE $1 + interval '1 minute' END,
        $1 + interval '100 years'
    FROM generate_series(0, 2) i";

const NETWORKS: &str = "
    INSERT INTO login_networks (network, address_hashes, attempted_at, locked_until, expires_at)
    SELECT set_masklen('10.0.0.0'::inet + i, 32)::cidr, ARRAY[''::bytea], ARRAY[$1::timestamptz], $1 - make_interval(secs => i),
        $1 + interval '1 day'
    FROM generate_series(0, 19999) i
    UNION ALL
    SELECT set_masklen('198.51.100.0'::inet + i, 32)::cidr, ARRAY[''::bytea], ARRAY[$1],
        $1 + make_interval(secs => 1 + i / 2), $1 + interval '1 day'
    FROM generate_series(0, 4) i";

#[tokio::test]
async fn they_are_listed_by_their_end_and_those_without_one_at_last() {
    let app = TestApp::with(locking()).await;
    let root = service(&app, &["lockouts.read"]).await;
    let client = app.database.client().await;
    client.execute(ROWS, &[&app.now()]).await.unwrap();
    client.execute(NETWORKS, &[&app.now()]).await.unwrap();

    // What is locked until now is not locked any more.
    let listed = list(&root).await;
    let (networks, accounts) = listed.split_at(5);
    assert!(networks.iter().all(|lockout| lockout.cause() == Cause::ManyAccounts), "{networks:?}");
    assert!(networks.is_sorted_by_key(|lockout| lockout.expire_time.unwrap().seconds));
    let (with_end, without) = accounts.split_at(27);
    assert!(with_end.iter().all(|lockout| lockout.cause() == Cause::WrongPasswords), "{with_end:?}");
    assert!(with_end.is_sorted_by_key(|lockout| lockout.expire_time.unwrap().seconds));
    let failures: Vec<_> = without.iter().map(|lockout| (lockout.cause(), lockout.failure_count)).collect();
    assert_eq!(failures, [100, 100, 101].map(|failures| (Cause::WrongPasswordsInARow, failures)));

    app.advance(Duration::from_secs(5));
    assert_eq!(list(&root).await.len(), 12 + 3);
    app.advance(Duration::from_mins(5));
    assert_eq!(list(&root).await.len(), 3);
}
