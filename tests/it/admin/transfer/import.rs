//! In: hashes of every family, lines of every kind.

use std::fmt::Write;

use tonic::Code;

use super::{ADA, import, on_record, summary};
use crate::admin::program::keyward;
use crate::admin::recorded;
use crate::harness::{PASSWORD, TestApp, refused};

/// Hashes of the password that everybody has here, as passlib and Django made them.
const HASHES: [(&str, &str); 10] = [
    ("bcrypt", "$2b$04$JeTGP/zrj6vLpoFIoN0XDOaj//rGNuL7qS8FRkiVupILO5hMfVXIC"),
    ("bcrypt-old", "$2a$04$E8f74M8ialGaDxVjkFjNl.cg02ssBdny1HLoBDI808TIvlJNh8w9m"),
    ("bcrypt-php", "$2y$04$Ir1LFB73Gu1SOsV1GEkoQ.nn0kMy1cMp1arK/w3ORKt8QCbgzV5Ny"),
    ("scrypt", "$scrypt$ln=4,r=8,p=1$jXEuJSQEgHBuzVlrDYHQGg$8lKiitrEBFpwqyY3yRz79ZTly+FP2DE8TG4MZTOYt+0"),
    ("pbkdf2", "$pbkdf2-sha256$1000$KWUMwbjX2rt37r2XUqoVwg$q7yfiJk9d1.asBvZuAa3U7z6GwEKC5a7qj8IpQD4E1s"),
    (
        "pbkdf2-512",
        "$pbkdf2-sha512$1000$xDiHkHLuPQdA6F2L8f7/fw$90ebCZIZEyPPjWSFf4vfMIkafTZu2Ki43SHHWmk94xNfcwpNsHrJ1deoL.x3eHFfghhhZVfmFz.rZbpIw2CUZQ",
    ),
    (
        "keycloak",
        "$pbkdf2-sha256$i=1000,l=64$c2l4dGVlbiBieXRlcyBvaw$VGtcgs6n9J3ivDdw7kwu2kaubLczZGmaH3v/zDOTlUqo426bh4Evt6qvUQ4U90AKCrBnzWXugaEQlm8nk7UWxw",
    ),
    ("django", "pbkdf2_sha256$1000$saltySALT0123456789abc$UpN1m0+TnBuq1Rv6PSJJ3m2uUfsxfzcyjzPpqojXQVI="),
    ("argon2i", "$argon2i$v=19$m=64,t=2,p=2$pnSO8T7HmNM6p7S2FoIQQg$z8MuNX46bHfxCs3EQUVHctRXqzA4dmeFBkzNtxvsODs"),
    ("argon2id", "$argon2id$v=19$m=64,t=2,p=2$0Zpzzvk/Z+w9h5DSWqt1Dg$tEqKjWdsrfhSJL+BQHyzQ7l3vfqy1ZtPG58tosMFqaI"),
];

#[tokio::test]
async fn passwords_hashed_elsewhere_let_their_owners_in_and_are_renewed() {
    let app = TestApp::start().await;
    let client = app.database.client().await;
    let mut lines = String::new();
    for (name, hash) in HASHES {
        writeln!(lines, r#"{{"email":"{name}@example.com","password_hash":"{hash}"}}"#).unwrap();
    }
    let ran = import(&app, &lines, &["--json"]).await;
    assert_eq!((ran.code, summary(&ran)), (Some(0), (10, 0, 0)), "{ran:?}");
    let device = app.device("phone");
    for (name, hash) in HASHES {
        let email = format!("{name}@example.com");
        let stored = async || -> String {
            client.query_one("SELECT password_hash FROM users WHERE email = $1", &[&email]).await.unwrap().get(0)
        };
        refused(device.login_with(&email, "seven lamps over the canals").await)
            .with(Code::Unauthenticated, "INVALID_CREDENTIALS");
        assert_eq!(stored().await, hash, "a wrong password changed it");
        let user = device.login(&email).await.unwrap().user.unwrap();
        assert_eq!((user.display_name.as_str(), user.roles.as_slice()), (name, ["normal_user".to_owned()].as_slice()));
        let renewed = stored().await;
        assert!(renewed.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{renewed}");
        device.login(&email).await.unwrap();
        assert_eq!(stored().await, renewed);
        refused(device.login_with(&email, "seven lamps over the canals").await)
            .with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn a_password_that_is_kept_in_another_form_lets_its_owner_in() {
    let app = TestApp::start().await;
    // Typed with a combining accent and a no-break space, and hashed like that.
    let typed = "cafe\u{301} noir\u{a0}sept";
    let hash = "$2b$04$et.AA57sK94kFVRK4eHs0.NnffJcwA8n7Ir3tzyX7NQpF.Y35X2mi";
    import(&app, &format!(r#"{{"email":"zoe@example.com","password_hash":"{hash}"}}"#), &[]).await;
    let phone = app.device("phone");
    for password in [typed, "caf\u{e9} noir sept", typed] {
        phone.login_with("zoe@example.com", password).await.unwrap();
    }
}

#[tokio::test]
async fn everything_that_a_line_says_is_taken_over() {
    let app = TestApp::start().await;
    let suspended = ADA
        .replace("ada", "bob")
        .replace("0198b0d0-0000-7000-8000-00000000bob0", "0198b0d0-0000-7000-8000-0000000000b0");
    let invited = r#"{"id":"0198b0d0-0000-7000-8000-0000000000c0","email":"Carol@Example.com","name":"Carol","created_at":"2021-01-01T00:00:00+01:00"}"#;
    let lines = format!("\u{feff}{ADA}\r\n\n{}\n{invited}", suspended.replace("ACTIVE", "SUSPENDED"));
    let ran = import(&app, &lines, &[]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "4 lines: 3 imported, 0 there already, 0 refused\n"), "{ran:?}");

    let ada = app.device("phone").login("ada@example.com").await.unwrap().user.unwrap();
    assert_eq!(ada.user_id, "0198b0d0-0000-7000-8000-00000000ada0");
    assert_eq!((ada.display_name.as_str(), ada.locale.as_str()), ("Ada", "de-CH"));
    assert_eq!(ada.roles, ["admin", "normal_user"]);
    assert_eq!(ada.create_time.unwrap().to_string(), "2020-02-03T04:05:06.070809Z");
    assert_eq!(ada.verify_time.unwrap().to_string(), "2020-02-03T04:10:00Z");
    refused(app.device("phone").login("bob@example.com").await).with(Code::PermissionDenied, "USER_SUSPENDED");

    // Who came without a password sets one by a mailed code.
    refused(app.device("phone").login("carol@example.com").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    let phone = app.device("phone");
    let reset = phone.request_password_reset("carol@example.com").await.unwrap();
    let code = app.mailbox.next_to("carol@example.com").await.code();
    let token = phone.verify_reset_code(&reset.reset_id, &code).await.unwrap().reset_token;
    phone.reset_password(&token, PASSWORD).await.unwrap();
    let carol = phone.login("carol@example.com").await.unwrap().user.unwrap();
    assert_eq!(
        (carol.display_name.as_str(), carol.user_id.as_str()),
        ("Carol", "0198b0d0-0000-7000-8000-0000000000c0")
    );
    let created = carol.create_time.unwrap();
    assert_eq!((created.to_string().as_str(), carol.verify_time), ("2020-12-31T23:00:00Z", Some(created)));
}

#[tokio::test]
async fn every_user_that_came_is_on_record_with_its_roles() {
    let app = TestApp::start().await;
    app.user("alice@example.com").await;
    let mut lines = format!("{ADA}\n{}\n{{\n", r#"{"email":"alice@example.com"}"#);
    for number in 0..1500 {
        writeln!(lines, r#"{{"email":"user{number}@example.com"}}"#).unwrap();
    }
    import(&app, &lines, &[]).await;
    let created = on_record(&app, "USER_CREATED").await;
    assert_eq!(
        (created.len(), &created[0]),
        (1501, &r#"OPERATOR {"roles": "admin,normal_user", "imported": "true"}"#.into())
    );
    let ada = recorded(&app, "0198b0d0-0000-7000-8000-00000000ada0").await;
    assert!(ada.len() == 1 && ada[0].0 == "USER_CREATED" && ada[0].1 == "OPERATOR", "{ada:?}");
    let unrecorded = "SELECT count(*) FROM users u WHERE email LIKE 'user%' AND NOT EXISTS (
        SELECT FROM audit_events e WHERE e.subject_id = u.user_id::text AND e.subject_type = 'USER')";
    assert_eq!(app.database.client().await.query_one(unrecorded, &[]).await.unwrap().get::<_, i64>(0), 0);
    let counts = r#"OPERATOR {"refused": "1", "skipped": "1", "imported": "1501"}"#;
    assert_eq!(on_record(&app, "USERS_IMPORTED").await, [counts]);
}

#[tokio::test]
async fn a_bad_line_is_told_with_its_number_and_loses_nothing_of_the_others() {
    let app = TestApp::start().await;
    let bad = [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ("\"ada@example.com\"", "must be a JSON object"),
        ("null", "must be a JSON object"),
        // All nine fields by their position: an administrator, if it were taken.
        (
            r#" [null,"array@example.com",null,null,null,["admin"],null,"2020-01-01T00:00:00Z",null]"#,
            "must be a JSON object",
        ),
        (r#"{"display_name":"Nobody"}"#, "missing field `email`"),
        (r#"{"email":"nobody"}"#, "email: "),
        (r#"{"email":"a@example.com","passwort":"x"}"#, "unknown field `passwort`"),
        (r#"{"email":"a@example.com","user_id":"17"}"#, "user_id: must be a UUID"),
        (
            r#"{"email":"a@example.com","user_id":"00000000-0000-0000-0000-000000000000"}"#,
            "user_id: must be neither the nil nor the max UUID",
        ),
        (
            r#"{"email":"a@example.com","user_id":"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"}"#,
            "user_id: must be neither the nil nor the max UUID",
        ),
        (r#"{"email":"a@example.com","display_name":" "}"#, "display_name: "),
        (r#"{"email":"a@example.com","locale":"x"}"#, "locale: "),
        (r#"{"email":"a@example.com","state":"DELETED"}"#, "state: "),
        (r#"{"email":"a@example.com","roles":["king"]}"#, r#"roles: there is no role "king""#),
        (r#"{"email":"a@example.com","create_time":"yesterday"}"#, "create_time: must be a time"),
        (r#"{"email":"a@example.com","create_time":"2999-01-01T00:00:00Z"}"#, "create_time: lies in the future"),
        (r#"{"email":"a@example.com","verify_time":null}"#, "verify_time: is null"),
        (r#"{"email":"a@example.com","password_hash":"secret"}"#, "password_hash: is of no known family"),
        (
            r#"{"email":"a@example.com","password_hash":"pbkdf2_sha256$1000$sa\u0000lt$UpN1m0+TnBuq1Rv6PSJJ3m2uUfsxfzcyjzPpqojXQVI="}"#,
            "password_hash: holds a control character",
        ),
        (r#"{"email":"a@example.com","password_hash":"$2b$04$JeT"}"#, "password_hash: is not a whole bcrypt hash"),
        (
            r#"{"email":"a@example.com","password_hash":"$2b$15$JeTGP/zrj6vLpoFIoN0XDOaj//rGNuL7qS8FRkiVupILO5hMfVXIC"}"#,
            "password_hash: costs too much: 15, where passwords.ceilings.bcrypt_cost allows 14",
        ),
    ];
    let mut lines = String::new();
    for (number, (line, _)) in bad.iter().enumerate() {
        writeln!(lines, "{{\"email\":\"good{number}@example.com\"}}\n{line}").unwrap();
    }
    let ran = import(&app, &lines, &["--json"]).await;
    assert_eq!((ran.code, summary(&ran)), (Some(1), (22, 0, 22)), "{ran:?}");
    let told: Vec<_> = ran.err.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(told.len(), bad.len(), "{}", ran.err);
    for (number, ((_, reason), told)) in bad.iter().zip(told).enumerate() {
        assert!(told.starts_with(&format!("line {}: {reason}", 2 * number + 2)), "{reason}: {told}");
    }
    assert!(ran.err.ends_with("keyward: 22 of 44 lines were refused\n"), "{}", ran.err);
}

#[tokio::test]
async fn a_line_that_the_database_refuses_is_told_and_stands_in_nobodys_way() {
    let app = TestApp::start().await;
    let client = app.database.client().await;
    // A rule that none but the database knows.
    let rule = "ALTER TABLE users ADD CONSTRAINT no_mallory CHECK (email NOT LIKE 'mallory%')";
    client.batch_execute(rule).await.unwrap();
    let mut lines = String::new();
    for number in 1..=2001 {
        let name = if matches!(number, 1 | 700 | 701 | 2001) { "mallory" } else { "user" };
        writeln!(lines, r#"{{"email":"{name}{number}@example.com"}}"#).unwrap();
    }
    for counts in [(1997, 0, 4), (0, 1997, 4)] {
        let ran = import(&app, &lines, &["--json"]).await;
        assert_eq!((ran.code, summary(&ran)), (Some(1), counts), "{ran:?}");
        let told: Vec<_> = ran.err.lines().filter(|line| line.contains("no_mallory")).collect();
        let begins = |number: u64| format!("line {number}: the database refuses it: ");
        assert!(told.len() == 4 && told[1].starts_with(&begins(700)) && told[3].starts_with(&begins(2001)), "{ran:?}");
    }

    // What is no line's fault stops the import, and is not told of the lines.
    client.batch_execute("ALTER TABLE user_roles RENAME TO hidden").await.unwrap();
    let ran = import(&app, r#"{"email":"last@example.com"}"#, &["--json"]).await;
    assert_eq!((ran.code, summary(&ran)), (Some(1), (0, 0, 0)), "{ran:?}");
    assert!(ran.err.contains("user_roles") && !ran.err.contains("line 1"), "{ran:?}");
}

#[tokio::test]
async fn what_is_there_stays_and_an_import_is_taken_up_where_it_broke_off() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let lines = format!(
        "{}\n{ADA}\n{}\n{}\n",
        r#"{"email":"alice@example.com","display_name":"Mallory","password_hash":"$2b$04$JeT"}"#
            .replace("$2b$04$JeT", "$2b$04$JeTGP/zrj6vLpoFIoN0XDOaj//rGNuL7qS8FRkiVupILO5hMfVXIC"),
        r#"{"email":"carol@example.com"}"#,
        r#"{"email":"CAROL@example.com"}"#,
    );
    let ran = import(&app, &lines, &["--json"]).await;
    assert_eq!((ran.code, summary(&ran)), (Some(0), (2, 2, 0)), "{ran:?}");
    let more = format!("{lines}{}\n", r#"{"email":"dora@example.com"}"#);
    let ran = import(&app, &more, &["--json"]).await;
    assert_eq!((ran.code, summary(&ran)), (Some(0), (1, 4, 0)), "{ran:?}");
    let account = alice.sign_in("phone").await.get_account().await.unwrap();
    assert_eq!((account.user_id, account.display_name), (alice.user.user_id, alice.user.display_name));

    // Another identifier for an address, or another address for an identifier, is told rather than passed over.
    let other_id = ADA.replace("00000000ada0", "00000000ada1");
    let other_address = ADA.replace("ada@", "lovelace@");
    let ran = import(&app, &format!("{other_id}\n{other_address}\n"), &["--json"]).await;
    assert_eq!((ran.code, summary(&ran)), (Some(1), (0, 0, 2)), "{ran:?}");
    assert!(
        ran.err.contains("line 1: email: is taken by the user 0198b0d0-0000-7000-8000-00000000ada0"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("line 2: user_id: is taken by a user with another address"), "{}", ran.err);
    let recorded = on_record(&app, "USERS_IMPORTED").await;
    let counts = [(2, 2, 0), (1, 4, 0), (0, 0, 2)].map(|(imported, skipped, refused)| {
        format!(r#"OPERATOR {{"refused": "{refused}", "skipped": "{skipped}", "imported": "{imported}"}}"#)
    });
    assert_eq!(recorded, counts);
}

#[tokio::test]
async fn two_lines_that_say_two_things_of_one_address_are_told() {
    let app = TestApp::start().await;
    let mut lines = format!("{ADA}\n{}\n", r#"{"email":"carol@example.com","display_name":"Carol"}"#);
    for number in 0..1200 {
        writeln!(lines, r#"{{"email":"user{number}@example.com"}}"#).unwrap();
    }
    // One far away that says the same, two that do not, and one that is close to what it contradicts.
    let other_id = ADA.replace("00000000ada0", "00000000ada1");
    let (carol, again) = (r#"{"email":"carol@example.com"}"#, r#"{"email":"User1199@example.com","locale":"de"}"#);
    write!(lines, "{}\n{other_id}\n{carol}\n{again}\n", ADA.replace("ada@", "ADA@")).unwrap();
    // The first time, and when it is run again.
    for counts in [(1202, 1, 3), (0, 1203, 3)] {
        let ran = import(&app, &lines, &["--json"]).await;
        assert_eq!((ran.code, summary(&ran)), (Some(1), counts), "{ran:?}");
        for told in [(1204, 1), (1205, 2), (1206, 1202)] {
            let told = format!("line {}: email: line {} says otherwise of the same address", told.0, told.1);
            assert!(ran.err.contains(&told), "{told}: {}", ran.err);
        }
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let app = TestApp::start().await;
    let lines = format!("{ADA}\n{ADA}\n{{\n");
    for _ in 0..2 {
        let ran = import(&app, &lines, &["--dry-run"]).await;
        let told = "3 lines: 1 would be imported, 1 there already, 1 refused\n";
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), told), "{ran:?}");
    }
    refused(app.device("phone").login("ada@example.com").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    assert!(on_record(&app, "USERS_IMPORTED").await.is_empty() && on_record(&app, "USER_CREATED").await.is_empty());
}

#[tokio::test]
async fn lines_come_from_standard_input_as_well_and_in_any_number() {
    let app = TestApp::start().await;
    let mut lines = String::new();
    for number in 0..2500 {
        writeln!(lines, r#"{{"email":"user{number}@example.com"}}"#).unwrap();
    }
    let ran = keyward(&app.settings, &["users", "import", "-", "--json"], &lines).await;
    assert_eq!((ran.code, summary(&ran)), (Some(0), (2500, 0, 0)), "{ran:?}");
    assert!(!ran.err.contains("imported"), "a progress display where there is no terminal: {}", ran.err);
    let ran = keyward(&app.settings, &["users", "import", "/nonexistent"], "").await;
    assert!(ran.code == Some(1) && ran.err.contains("cannot read /nonexistent"), "{ran:?}");
    let ran = keyward(&app.settings, &["users", "import", "/dev"], "").await;
    assert!(ran.code == Some(1) && ran.err.contains("cannot read /dev: Is a directory"), "{ran:?}");
}
