//! The rules as a user meets them.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn judge(password: &str) -> Result<(), PasswordRejected> {
    judge_for(password, "alice.liddell@wonderland.example", "Alice Liddell")
}

fn judge_for(password: &str, email: &str, name: &str) -> Result<(), PasswordRejected> {
    check(&Password::parse(password).unwrap(), &Email::parse(email).unwrap(), name)
}

#[test]
fn common_passwords_are_rejected_in_any_dress() {
    for password in [
        "password",
        "PASSWORD",
        "PassWord",
        "p4$$w0rd",
        "P@ssw0rd",
        "drowssap",
        "ｐａｓｓｗｏｒｄ",
        "pa\u{301}sswo\u{308}rd",
        "pass\u{200b}word",
        "12345678",
        "aaaaaaaaaa",
        "qwertyuiop",
        "abcdefgh",
        "1q2w3e4r",
        "iloveyou",
        "sunshine1",
        "trustno1",
        "pr1nc3ss",
        "0987654321",
        "ﬁreﬁghter",
        "keyward1",
        "Keyward-2024",
        "K3yw4rd!!",
        "drawyek123",
    ] {
        assert_eq!(judge(password), Err(PasswordRejected::Common), "{password:?}");
    }
}

#[test]
fn passwords_built_from_the_identity_are_rejected() {
    for password in [
        "alice.liddell@wonderland.example",
        "Alice.Liddell",
        "alice liddell",
        "AliceLiddell",
        "alice123456",
        "2024alice!!",
        "ecila-12345",
        "4l1c3-2024",
        "LIDDELL#2024",
        "wonderland7",
        "dnalrednow7",
        "alice-wonder",
        "liddellalice",
        "ÁLICE-9988",
        "aliceqwertyuiop",
        "password-alice",
        "ａｌｉｃｅ12345",
    ] {
        assert_eq!(judge(password), Err(PasswordRejected::BuiltFromIdentity), "{password:?}");
    }
    assert_eq!(judge_for("jurgen-1980", "jm@example.org", "Jürgen Müller"), Err(PasswordRejected::BuiltFromIdentity));
    assert_eq!(judge_for("bob_b0b_bob", "bob@example.org", ""), Err(PasswordRejected::BuiltFromIdentity));
}

#[test]
fn anything_else_is_accepted() {
    for password in [
        "alice-correct-horse",
        "correct horse battery staple",
        "xk7#mq2v",
        "keyward opens my front door",
        "ich-mag-blaue-kessel",
        "夜明け前の猫が鳴いた",
        "al-li-dd-el-grape",
        "channel-planning",
    ] {
        assert_eq!(judge(password), Ok(()), "{password:?}");
    }
    assert_eq!(judge_for("banana-tree-house", "ana@example.org", "Ana"), Ok(()));
    assert_eq!(judge_for("plenty of words", "a.b@c.de", "X Y"), Ok(()), "words of two letters do not count");
}

#[test]
fn the_longest_and_oddest_passwords_are_judged_too() {
    for unit in ["🗝", "\u{fdfa}", "4@({[<691!|7$5+", "İ", "ß", "a\u{301}b", "0123456789", "a-1|7!"] {
        let password: String = unit.chars().cycle().take(Password::MAX_CHARS).collect();
        let judged = Password::parse(&password)
            .map(|password| check(&password, &Email::parse("ada@example.org").unwrap(), password.expose()).is_err());
        assert_eq!(judged, Ok(true), "{unit:?}");
    }
}
