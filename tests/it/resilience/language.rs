//! A PostgreSQL that speaks another language: failures are told by their SQLSTATE, whatever the text says.

use tonic::Code;

use crate::harness::{TestApp, refused};

const ALICE: &str = "alice@example.com";

/// Lets every login fail with this SQLSTATE and text.
async fn logins_fail_with(app: &TestApp, code: &str, text: &str) {
    let sql = format!(
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{text}' USING ERRCODE = '{code}'; END $$;
        CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION fail()"
    );
    app.database.client().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn what_passes_with_time_is_unavailable_in_any_language() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    for (code, text) in [
        ("57014", "storniere Anfrage wegen Zeitüberschreitung der Anfrage"),
        ("40P01", "Verklemmung (Deadlock) entdeckt"),
        ("53100", "не удалось расширить файл"),
        ("53200", "メモリ不足です"),
        ("55P03", "annulation à cause du délai"),
        ("58030", "Eingabe-/Ausgabefehler"),
        ("25006", "INSERT kann nicht in einer Read-Only-Transaktion ausgeführt werden"),
    ] {
        logins_fail_with(&app, code, text).await;
        let refusal = refused(app.device("desk").login(ALICE).await);
        assert_eq!((refusal.status().code(), refusal.reason()), (Code::Unavailable, "DATABASE_UNAVAILABLE"), "{code}");
        assert!(!refusal.status().message().contains(text), "{refusal:?}");
    }
}

#[tokio::test]
async fn what_is_ours_to_mend_is_internal_whatever_the_text_says() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    for code in ["P0001", "42P01", "22P02"] {
        logins_fail_with(&app, code, "canceling statement due to statement timeout").await;
        refused(app.device("desk").login(ALICE).await).with(Code::Internal, "INTERNAL");
    }
}
