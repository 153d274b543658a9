//! Every mail there is, rendered, sent and received.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::letter::Letter;
use super::{Content, Mail, MailError, Mailer, RenderError, Renderer};
use crate::config::{Mail as Config, MailTransport as Transport};
use crate::model::code::Code;
use crate::model::email::Email;
use crate::model::id::{MailId, ResetId};

const CODE: &str = "012345";

/// When all of it happens.
fn now() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn id() -> MailId {
    MailId::from(Uuid::from_u128(0x019b_7ca0_0000_7000_8000_0000_0000_0001))
}

/// One of each kind, with as much in it as there can be.
fn contents() -> Vec<Content> {
    let device = Some("Anna's laptop".to_owned());
    vec![
        Content::VerificationCode { code: Code::parse(CODE).unwrap(), expires_in: Duration::from_mins(3) },
        Content::AccountExists,
        Content::Welcome,
        Content::ResetCode { code: Code::parse(CODE).unwrap(), expires_in: Duration::from_secs(90) },
        Content::PasswordChanged { at: now(), ip_address: [192, 0, 2, 7].into(), device_name: None },
        Content::Invitation {
            reset_id: ResetId::from(id().uuid()),
            code: Code::parse(CODE).unwrap(),
            expires_in: Duration::from_hours(72),
            link: Some(format!("https://app.example/i?reset_id={}", id())),
        },
        Content::NewDevice {
            device_name: device.clone(),
            ip_address: "2001:db8::7".parse().unwrap(),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0".to_owned()),
            at: now(),
        },
        Content::SessionEnded { device_name: device, at: now() },
        Content::AccountLocked { until: now() + chrono::TimeDelta::minutes(5) },
        Content::ResetCodesGuessed,
    ]
}

fn mail(content: Content) -> Mail {
    Mail {
        to: Email::parse("anna@example.com").unwrap(),
        locale: Some("de-CH".to_owned()),
        display_name: Some("Anna Muster".to_owned()),
        content,
    }
}

fn renderer() -> Renderer {
    Renderer::new("Keyward").unwrap()
}

/// A letter with a code, for the transports' tests.
pub(super) fn letter() -> Letter {
    let mail = mail(contents().remove(0));
    let rendered = renderer().render(&mail).unwrap();
    Letter::compose(&"Keyward <no-reply@keyward.example>".parse().unwrap(), id(), &mail, rendered, now()).unwrap()
}

fn config(transport: Transport) -> Config {
    Config {
        transport,
        smtp_url: None,
        smtp_url_file: None,
        from: "Keyward <no-reply@keyward.example>".parse().unwrap(),
        directory: None,
        timeout: Duration::from_secs(10),
        product_name: "Keyward".to_owned(),
        invitation_url: None,
    }
}

/// What a client's `\b\d{6}\b` finds.
fn codes(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

#[test]
fn every_mail_reads_as_agreed() {
    for content in contents() {
        let kind = content.kind();
        let rendered = renderer().render(&mail(content)).unwrap();
        let all = format!("Subject: {}\n\n{}\n{}", rendered.subject, rendered.text, rendered.html);
        insta::assert_snapshot!(kind, all);
    }
    insta::assert_snapshot!("message", String::from_utf8(letter().message.formatted()).unwrap().replace('\r', ""));
}

#[test]
fn a_code_is_in_the_bodies_once_and_no_other_number_looks_like_one() {
    for content in contents() {
        let expected: &[&str] = match content {
            Content::VerificationCode { .. } | Content::ResetCode { .. } | Content::Invitation { .. } => &[CODE],
            _ => &[],
        };
        let rendered = renderer().render(&mail(content)).unwrap();
        assert_eq!(codes(&rendered.text), expected);
        assert_eq!(codes(&rendered.html), expected);
        assert!(codes(&rendered.subject).is_empty());
        assert!(expected.iter().all(|code| rendered.text.lines().any(|line| line.trim() == *code)));
    }
}

#[test]
fn an_invitation_without_a_page_names_itself() {
    let content = Content::Invitation {
        reset_id: ResetId::from(id().uuid()),
        code: Code::parse(CODE).unwrap(),
        expires_in: Duration::from_hours(36),
        link: None,
    };
    let rendered = renderer().render(&mail(content)).unwrap();
    for body in [&rendered.text, &rendered.html] {
        assert!(body.contains(&id().to_string()) && body.contains("36 hours") && !body.contains("://"), "{body}");
        assert_eq!(codes(body), [CODE]);
    }
}

#[test]
fn a_name_that_looks_like_a_code_is_left_out() {
    let mail = Mail { display_name: Some("Agent 999999".to_owned()), ..mail(contents().remove(3)) };
    let rendered = renderer().render(&mail).unwrap();
    assert!(rendered.text.starts_with("Hello,") && codes(&rendered.text) == [CODE]);
}

#[test]
fn nothing_prints_a_code_or_an_address() {
    for content in contents() {
        let mail = mail(content);
        let printed = format!("{mail:?} {:?}", renderer().render(&mail).unwrap());
        assert!(!printed.contains(CODE) && !printed.contains("anna@"), "{printed}");
    }
}

#[test]
fn contents_survive_storing_under_their_kind() {
    for content in contents() {
        let stored = serde_json::to_value(&content).unwrap();
        assert_eq!(stored.get("kind").unwrap(), content.kind());
        let restored: Content = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(serde_json::to_value(restored).unwrap(), stored);
    }
}

#[test]
fn strangers_get_no_word_into_a_mail() {
    for content in contents() {
        let proven = !content.is_for_strangers();
        let mail = Mail { display_name: Some("You won go there".to_owned()), ..mail(content) };
        let rendered = renderer().render(&mail).unwrap();
        assert_eq!(rendered.text.contains("You won"), proven);
        assert_eq!(rendered.html.contains("You won"), proven);
    }
}

#[test]
fn hostile_names_are_shown_and_do_nothing() {
    let hostile = "<b>&\"x'\r\n\r\nBcc: {{ product }}\u{202e} http://evil.example/".to_owned();
    let content = Content::NewDevice {
        device_name: Some(hostile.clone()),
        ip_address: [192, 0, 2, 7].into(),
        user_agent: Some(hostile.repeat(100)),
        at: now(),
    };
    let rendered = renderer().render(&Mail { display_name: Some(hostile), ..mail(content) }).unwrap();
    for body in [&rendered.text, &rendered.html] {
        assert!(!body.contains("evil.example") && !body.contains("://") && !body.contains('\u{202e}'), "{body}");
    }
    assert!(!rendered.text.lines().any(|line| line.starts_with("Bcc") || line.starts_with("    Bcc")));
    assert!(rendered.text.contains("<b>&\"x' Bcc: {{ product }}"), "{}", rendered.text);
    assert!(
        !rendered.html.contains("<b>") && rendered.html.contains("&lt;b&gt;&amp;&quot;x&#x27;"),
        "{}",
        rendered.html
    );
    assert!(rendered.text.len() < 2000);
}

#[test]
fn all_mails_go_as_they_are_and_are_recognised_when_they_come_twice() {
    let from = "Keyward <no-reply@keyward.example>".parse().unwrap();
    for content in contents() {
        let kind = content.kind();
        let mail = mail(content);
        let rendered = renderer().render(&mail).unwrap();
        let letter = Letter::compose(&from, id(), &mail, rendered, now()).unwrap();
        let message = String::from_utf8(letter.message.formatted()).unwrap();
        assert_eq!(message.matches("Content-Transfer-Encoding: 7bit").count(), 2, "{kind}: {message}");
        assert!(message.lines().all(|line| line.len() < 78), "{kind}");
        assert_eq!(letter.header("Message-ID"), format!("<{}@keyward.example>", id()));
    }
}

#[test]
fn product_names_must_not_look_like_anything_else() {
    for name in ["", " ", "a\nb", " a", "Call 123456", &"x".repeat(65)] {
        assert!(matches!(Renderer::new(name), Err(RenderError::ProductName)), "{name:?}");
    }
    let rendered = Renderer::new("Müller & Söhne").unwrap().render(&mail(Content::Welcome)).unwrap();
    assert_eq!(rendered.subject, "Welcome to Müller & Söhne");
    assert!(rendered.html.contains("Welcome to Müller &amp; Söhne"));
}

#[test]
fn senseless_configuration_is_refused() {
    let url = |url: &str| Config { smtp_url: Some(SecretString::from(url)), ..config(Transport::Smtp) };
    assert!(matches!(Mailer::new(&config(Transport::Smtp)), Err(MailError::SmtpUrlMissing)));
    assert!(matches!(Mailer::new(&config(Transport::File)), Err(MailError::DirectoryMissing)));
    assert!(matches!(Mailer::new(&url("http://localhost")), Err(MailError::SmtpUrl(_))));
    assert!(matches!(Mailer::new(&url("smtp://localhost?tsl=required")), Err(MailError::SmtpUrl(_))));
    for good in ["smtps://u:p@localhost", "smtp://u:p@localhost:587?tls=required", "smtp://localhost:25"] {
        assert!(Mailer::new(&url(good)).is_ok());
    }
}

#[tokio::test]
async fn a_mailer_sends_by_the_configured_way() {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("mails");
    let mailer = Mailer::new(&Config { directory: Some(path.clone()), ..config(Transport::File) }).unwrap();
    for content in contents() {
        mailer.send(MailId::new(now()), &mail(content), now()).await.unwrap();
    }
    assert_eq!(path.read_dir().unwrap().count(), contents().len());
}
