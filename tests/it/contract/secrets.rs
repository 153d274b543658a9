//! Messages with secrets print none of them: prost's own `Debug` does not know of `debug_redact`.

use keyward::proto::DESCRIPTORS;
use keyward::proto::keyward::v1 as pb;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor, Value};

/// What no output may show.
const SECRET: &str = "kept-between-us";

/// Prints a message of a type that holds secrets, from its encoded form.
type Print = fn(&[u8]) -> String;

fn print<M: Message + Default + std::fmt::Debug>(encoded: &[u8]) -> String {
    format!("{:?}", M::decode(encoded).unwrap())
}

/// Every message that holds a secret, and the type that is made of it.
const MESSAGES: [(&str, Print); 14] = [
    ("ChangePasswordRequest", print::<pb::ChangePasswordRequest>),
    ("CreateServiceKeyResponse", print::<pb::CreateServiceKeyResponse>),
    ("CreateUserRequest", print::<pb::CreateUserRequest>),
    ("DeleteAccountRequest", print::<pb::DeleteAccountRequest>),
    ("IntrospectTokenRequest", print::<pb::IntrospectTokenRequest>),
    ("LoginRequest", print::<pb::LoginRequest>),
    ("RefreshTokensRequest", print::<pb::RefreshTokensRequest>),
    ("RegisterRequest", print::<pb::RegisterRequest>),
    ("ResetPasswordRequest", print::<pb::ResetPasswordRequest>),
    ("RevokeRefreshTokenRequest", print::<pb::RevokeRefreshTokenRequest>),
    ("Tokens", print::<pb::Tokens>),
    ("VerifyEmailRequest", print::<pb::VerifyEmailRequest>),
    ("VerifyPasswordResetCodeRequest", print::<pb::VerifyPasswordResetCodeRequest>),
    ("VerifyPasswordResetCodeResponse", print::<pb::VerifyPasswordResetCodeResponse>),
];

#[test]
fn no_message_prints_its_secrets() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let ours = pool.all_messages().filter(|message| message.package_name() == "keyward.v1");
    for message in ours.filter(|message| message.fields().any(|field| is_redacted(&field))) {
        let (_, print) = MESSAGES.iter().find(|(name, _)| *name == message.name()).unwrap_or_else(|| {
            panic!("{} holds a secret and is not in MESSAGES", message.name());
        });
        let printed = print(&filled(&message).encode_to_vec());
        assert!(!printed.contains(SECRET) && printed.contains(message.name()), "{printed}");
    }
}

#[test]
fn a_message_around_one_with_secrets_prints_none_either() {
    let tokens = pb::Tokens { access_token: SECRET.to_owned(), refresh_token: SECRET.to_owned(), ..Default::default() };
    let printed = format!("{:?}", pb::LoginResponse { tokens: Some(tokens), ..Default::default() });
    assert!(!printed.contains(SECRET), "{printed}");
}

/// A message whose secret fields hold [`SECRET`].
fn filled(message: &MessageDescriptor) -> DynamicMessage {
    let mut filled = DynamicMessage::new(message.clone());
    for field in message.fields().filter(is_redacted) {
        filled.set_field(&field, Value::String(SECRET.to_owned()));
    }
    filled
}

fn is_redacted(field: &FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}
