//! Server reflection, in both versions: a client that has nothing of ours finds every method, unless it is switched off.

use std::collections::BTreeSet;

use futures::stream;
use prost_reflect::DescriptorPool;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::FileDescriptorProto;
use tonic::{Code, Status};

use super::call;
use crate::harness::{Device, Settings, TestApp, refused};

const SERVICES: [&str; 5] = [
    "grpc.health.v1.Health",
    "keyward.v1.AccountService",
    "keyward.v1.AdminService",
    "keyward.v1.AuthService",
    "keyward.v1.SessionService",
];

/// What a version of the protocol offers to a client; the two differ in their package alone.
macro_rules! version {
    ($version:ident) => {
        mod $version {
            use super::*;
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
            use tonic_reflection::pb::$version::{ExtensionRequest, ServerReflectionRequest};

            async fn ask(device: &Device, question: MessageRequest) -> Result<MessageResponse, Status> {
                let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
                let mut client = ServerReflectionClient::new(device.wire());
                let mut answers = client.server_reflection_info(stream::iter([request])).await?.into_inner();
                Ok(answers.message().await?.unwrap().message_response.unwrap())
            }

            pub(super) async fn services(device: &Device) -> Result<BTreeSet<String>, Status> {
                match ask(device, MessageRequest::ListServices(String::new())).await? {
                    MessageResponse::ListServicesResponse(list) => {
                        Ok(list.service.into_iter().map(|service| service.name).collect())
                    }
                    other => panic!("not a list of services: {other:?}"),
                }
            }

            async fn files(device: &Device, question: MessageRequest) -> Vec<FileDescriptorProto> {
                match ask(device, question).await.unwrap() {
                    MessageResponse::FileDescriptorResponse(files) => {
                        let files = files.file_descriptor_proto.into_iter();
                        files.map(|bytes| FileDescriptorProto::decode(bytes.as_slice()).unwrap()).collect()
                    }
                    other => panic!("not a file: {other:?}"),
                }
            }

            /// All that a client learns about a symbol, by asking for each file that it has not seen.
            pub(super) async fn learn(device: &Device, symbol: &str) -> DescriptorPool {
                let mut pending = files(device, MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
                let mut known = Vec::<FileDescriptorProto>::new();
                while let Some(file) = pending.pop() {
                    if known.iter().any(|other| other.name == file.name) {
                        continue;
                    }
                    for name in &file.dependency {
                        pending.extend(files(device, MessageRequest::FileByFilename(name.clone())).await);
                    }
                    known.push(file);
                }
                let mut pool = DescriptorPool::new();
                pool.add_file_descriptor_protos(known).unwrap();
                pool
            }

            /// The codes of the answers to questions that have none, on one stream; 0 for an answer.
            pub(super) async fn codes(device: &Device) -> Vec<i32> {
                let extension = |number| {
                    let containing_type = "google.protobuf.MethodOptions".to_owned();
                    MessageRequest::FileContainingExtension(ExtensionRequest {
                        containing_type,
                        extension_number: number,
                    })
                };
                let questions = [
                    Some(MessageRequest::FileContainingSymbol("keyward.v1.NoSuchService".to_owned())),
                    Some(MessageRequest::FileByFilename("no/such.proto".to_owned())),
                    Some(extension(50_002)),
                    Some(MessageRequest::AllExtensionNumbersOfType("keyward.v1.NoSuchMessage".to_owned())),
                    None,
                    Some(extension(50_001)),
                    Some(MessageRequest::AllExtensionNumbersOfType("google.protobuf.MethodOptions".to_owned())),
                    Some(MessageRequest::ListServices(String::new())),
                ];
                let requests = questions
                    .map(|question| ServerReflectionRequest { host: "here".to_owned(), message_request: question });
                let mut client = ServerReflectionClient::new(device.wire());
                let mut answers =
                    client.server_reflection_info(stream::iter(requests.clone())).await.unwrap().into_inner();
                let mut codes = Vec::new();
                for request in requests {
                    let answer = answers.message().await.unwrap().unwrap();
                    assert_eq!((answer.original_request, answer.valid_host.as_str()), (Some(request), "here"));
                    codes.push(match answer.message_response.unwrap() {
                        MessageResponse::ErrorResponse(error) => error.error_code,
                        MessageResponse::AllExtensionNumbersResponse(numbers) => {
                            assert_eq!(numbers.base_type_name, "google.protobuf.MethodOptions");
                            assert!(numbers.extension_number.contains(&50_001), "{numbers:?}");
                            0
                        }
                        _ => 0,
                    });
                }
                assert!(answers.message().await.unwrap().is_none());
                codes
            }
        }
    };
}

version!(v1);
version!(v1alpha);

#[tokio::test]
async fn every_service_is_listed() {
    let app = TestApp::start().await;
    for listed in [v1::services(&app.stranger()).await.unwrap(), v1alpha::services(&app.stranger()).await.unwrap()] {
        let missing: Vec<_> = SERVICES.iter().filter(|service| !listed.contains(**service)).collect();
        assert!(missing.is_empty(), "{missing:?} is not in {listed:?}");
    }
}

#[tokio::test]
async fn a_client_learns_every_method_and_message() {
    let app = TestApp::start().await;
    for symbol in SERVICES {
        for pool in [v1::learn(&app.stranger(), symbol).await, v1alpha::learn(&app.stranger(), symbol).await] {
            let service = pool.get_service_by_name(symbol).unwrap();
            assert!(service.methods().len() > 1, "{symbol}");
        }
    }
}

#[tokio::test]
async fn a_question_without_an_answer_does_not_end_the_stream() {
    let app = TestApp::start().await;
    let expected = [Code::NotFound, Code::NotFound, Code::NotFound, Code::NotFound, Code::InvalidArgument];
    let expected: Vec<_> = expected.map(i32::from).into_iter().chain([0, 0, 0]).collect();
    assert_eq!(v1::codes(&app.stranger()).await, expected);
    assert_eq!(v1alpha::codes(&app.stranger()).await, expected);
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let app = TestApp::with(Settings::default().set("server.reflection", "false")).await;
    assert_eq!(v1::services(&app.stranger()).await.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(v1alpha::services(&app.stranger()).await.unwrap_err().code(), Code::Unimplemented);
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        refused(call(&app.stranger(), &path).await).with(Code::Unimplemented, "METHOD_UNKNOWN");
    }
    app.stranger().get_origin().await.unwrap();
}
