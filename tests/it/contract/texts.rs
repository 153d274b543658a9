//! No text of any request reaches the database with a NUL in it, which PostgreSQL takes for a failure of the statement.

use keyward::proto::DESCRIPTORS;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ReflectMessage, Value,
};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use crate::harness::{Device, PASSWORD, Refusal, TestApp, answer};

const NUL: &str = "a\0b";

#[tokio::test]
async fn no_text_with_a_nul_fails_us() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let user_id = app.user("alice@example.com").await.user.user_id;
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let ours = pool.services().filter(|service| service.package_name() == "keyward.v1");
    let (mut texts, mut failures) = (0, Vec::new());
    for method in ours.flat_map(|service| service.methods().collect::<Vec<_>>()) {
        for path in texts_of(&method.input()) {
            let mut request = DynamicMessage::new(method.input());
            fill(&mut request, &user_id);
            put_nul(&mut request, &path);
            let refusal = call(&admin, &method, request).await.err();
            if refusal.is_some_and(|refusal| matches!(refusal.status().code(), Code::Internal | Code::Unknown)) {
                failures.push(format!("{}: {}", method.name(), path.last().unwrap().full_name()));
            }
            texts += 1;
        }
    }
    assert_eq!(failures, [""; 0], "of {texts} texts");
    assert!(texts > 60, "only {texts} texts were tried");
}

/// The ways to each text of a message, through the messages in it.
fn texts_of(message: &MessageDescriptor) -> Vec<Vec<FieldDescriptor>> {
    let ways = message.fields().flat_map(|field| match field.kind() {
        Kind::String => vec![vec![field]],
        Kind::Message(inner) => texts_of(&inner).into_iter().map(|rest| [vec![field.clone()], rest].concat()).collect(),
        _ => Vec::new(),
    });
    ways.collect()
}

fn put_nul(message: &mut DynamicMessage, path: &[FieldDescriptor]) {
    let (field, rest) = path.split_first().unwrap();
    let nul = Value::String(NUL.to_owned());
    match rest {
        [] if field.is_list() => message.set_field(field, Value::List(vec![nul])),
        [] => message.set_field(field, nul),
        rest => put_nul(message.get_field_mut(field).as_message_mut().unwrap(), rest),
    }
}

/// Gives each text what leads a call as far as it can go, so that nothing but the one with the NUL is in its way.
fn fill(message: &mut DynamicMessage, user_id: &str) {
    for field in message.descriptor().fields() {
        let value = match field.kind() {
            Kind::String => Value::String(good(field.name(), user_id).to_owned()),
            Kind::Enum(_) if field.name() == "action" => Value::EnumNumber(1),
            Kind::Message(inner) if inner.package_name() == "keyward.v1" => {
                let mut filled = DynamicMessage::new(inner);
                fill(&mut filled, user_id);
                Value::Message(filled)
            }
            _ => continue,
        };
        let nothing = value == Value::String(String::new());
        match field.is_list() {
            true if nothing => {}
            true => message.set_field(&field, Value::List(vec![value])),
            false => message.set_field(&field, value),
        }
    }
}

fn good<'a>(field: &str, user_id: &'a str) -> &'a str {
    match field {
        "email" => "root@example.com",
        "password" => PASSWORD,
        "new_password" => "eleven herons on a barge",
        "current_password" => "not the password",
        "display_name" | "device_name" | "description" | "reason" => "Somebody",
        "locale" => "de",
        "code" => "123456",
        "name" | "role" | "roles" | "permissions" => "support",
        "cidr" => "192.0.2.0/24",
        "device_id" | "lockout_id" => "phone",
        _ if field.ends_with("_id") => user_id,
        _ => "",
    }
}

/// Calls a method as a stream, which some of them are: whether it begins is enough.
async fn call(device: &Device, method: &MethodDescriptor, request: DynamicMessage) -> Result<(), Refusal> {
    let mut client = Grpc::new(device.wire());
    client.ready().await.unwrap();
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path: PathAndQuery = path.parse().unwrap();
    let answered =
        client.server_streaming(Request::new(request), path, ProstCodec::<DynamicMessage, ()>::default()).await;
    answer(answered.map(|response| response.map(drop)))
}
