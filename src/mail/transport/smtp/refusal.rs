//! Whose fault a refusal for good (5yz) is: the mail's, or ours and so an operator's to mend.
//!
//! The reply code alone does not tell. 550 may mean that nobody has the mailbox, or that the server relays nothing for us; the
//! stage of the conversation and the enhanced status code (RFC 3463) tell the two apart. What is not clearly about the mail
//! counts as ours: a mail that is tried in vain costs little, a mail that is given up is lost.

use super::super::super::Reply;
use super::super::super::error::Stage;

/// The subject and the detail of an enhanced status code.
type Status = (u16, u16);

/// Whether a refusal at this stage is about this mail or its recipient, so that sending it again is in vain.
pub(in crate::mail) fn is_about_the_mail(stage: Stage, reply: &Reply) -> bool {
    // They ask for credentials or better ones (RFC 4954), whatever the stage.
    if matches!(reply.code(), 530 | 534 | 535 | 538) || reply.mentions_relay() {
        return false;
    }
    match stage {
        // All of our mails have the same sender, and DATA holds nothing of the mail.
        Stage::Session | Stage::Sender | Stage::Data => false,
        Stage::Recipient => match reply.status_numbers() {
            Some((0, 0)) | None => matches!(reply.code(), 501 | 550 | 551 | 552 | 553 | 556),
            Some(status) => is_about_the_mailbox(status),
        },
        Stage::Message => match reply.status_numbers() {
            Some((0, 0)) | None => matches!(reply.code(), 550 | 554),
            // The content (5.6), or a policy about content. From 5.7.8 on it is our login, our SPF, DKIM or DMARC.
            Some(status @ (subject, detail)) => {
                subject == 6 || (subject == 7 && detail < 8) || is_about_the_mailbox(status)
            }
        },
    }
}

/// Whether a status says that the recipient's mailbox takes no mail: 5.1 but for the sender's address, and 5.2.
fn is_about_the_mailbox((subject, detail): Status) -> bool {
    match subject {
        1 => !matches!(detail, 7..=9),
        2 => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reply, Stage, is_about_the_mail};

    fn is_final(stage: Stage, reply: &str) -> bool {
        let (code, text) = reply.split_once(' ').unwrap_or((reply, ""));
        is_about_the_mail(stage, &Reply::read(code.parse().unwrap_or_default(), text))
    }

    #[test]
    fn only_the_recipient_and_the_message_can_be_refused_for_good() {
        for reply in
            ["550 5.1.1 no such user", "550 5.2.1 disabled", "552 5.2.2 full", "553 5.1.3 syntax", "550 no such user"]
        {
            assert!(is_final(Stage::Recipient, reply), "{reply}");
        }
        for reply in ["554 5.7.0 spam", "554 5.7.1 spam", "554 5.6.0 malformed", "550 5.2.3 too long", "554 no"] {
            assert!(is_final(Stage::Message, reply), "{reply}");
        }
    }

    #[test]
    fn what_an_operator_can_mend_is_never_for_good() {
        let everything = ["554 no", "521 no", "504 5.5.2 no", "550 5.7.1 no", "553 5.7.1 not owned", "550 5.1.1 no"];
        for reply in everything.into_iter().chain(["552 5.3.4 too big", "535 5.7.8 no"]) {
            for stage in [Stage::Session, Stage::Sender, Stage::Data] {
                assert!(!is_final(stage, reply), "{stage:?} {reply}");
            }
        }
        for reply in [
            "554 5.7.1 Relay access denied",
            "550 5.7.1 no",
            "550 relay not permitted",
            "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            "550 5.1.8 Sender address rejected: Domain not found",
            "530 5.7.0 authentication required",
            "550 5.4.5 quota",
            "554 no",
            "503 5.5.1 no",
        ] {
            assert!(!is_final(Stage::Recipient, reply), "{reply}");
        }
        for reply in ["550 5.4.5 quota", "550 5.7.26 DMARC", "552 5.3.4 too big", "550 5.1.7 sender", "552 no"] {
            assert!(!is_final(Stage::Message, reply), "{reply}");
        }
    }
}
