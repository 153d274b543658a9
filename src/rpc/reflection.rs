//! Server reflection, v1 and v1alpha. A question without an answer is answered by an error within the stream, which goes on: clients
//! that resolve names one by one (Python's descriptor pool) rely on it.

mod catalogue;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use prost_reflect::DescriptorError;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use self::catalogue::{Answer, Catalogue, Question};
use crate::proto::DESCRIPTORS;

/// How long a stream may be silent.
const SILENCE: Duration = Duration::from_mins(5);

/// What is asked about: every service on the port.
#[derive(Clone, Debug)]
pub(super) struct Reflection {
    catalogue: Arc<Catalogue>,
    /// Ends the streams.
    draining: CancellationToken,
}

impl Reflection {
    /// Reads the embedded descriptors.
    pub(super) fn new(draining: CancellationToken) -> Result<Self, DescriptorError> {
        let catalogue = Catalogue::new(&[
            DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ])?;
        Ok(Self { catalogue: Arc::new(catalogue), draining })
    }

    /// The next question of a stream; `None` at its end.
    async fn next<Q>(&self, questions: &mut Streaming<Q>) -> Option<Result<Q, Status>> {
        tokio::select! {
            () = self.draining.cancelled() => Some(Err(Status::unavailable("the service is stopping"))),
            next = tokio::time::timeout(SILENCE, questions.message()) => match next {
                Ok(question) => question.transpose(),
                Err(_) => Some(Err(Status::deadline_exceeded("the stream was silent for too long"))),
            },
        }
    }
}

/// The service of one version; the versions differ in their package alone.
macro_rules! version {
    ($version:ident) => {
        mod $version {
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
            use tonic_reflection::pb::$version::server_reflection_server::ServerReflection;
            use tonic_reflection::pb::$version::{
                ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
                ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
            };

            use super::{
                Answer, BoxStream, HashSet, Question, Reflection, Request, Response, Status, StreamExt, Streaming,
                stream,
            };

            #[tonic::async_trait]
            impl ServerReflection for Reflection {
                type ServerReflectionInfoStream = BoxStream<'static, Result<ServerReflectionResponse, Status>>;

                async fn server_reflection_info(
                    &self,
                    request: Request<Streaming<ServerReflectionRequest>>,
                ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
                    let state = Some((self.clone(), request.into_inner(), HashSet::new()));
                    let answers = stream::unfold(state, async |state| {
                        let (reflection, mut questions, mut sent) = state?;
                        match reflection.next(&mut questions).await? {
                            Ok(request) => {
                                let answer = reflection.catalogue.answer(question(&request), &mut sent);
                                Some((Ok(response(request, answer)), Some((reflection, questions, sent))))
                            }
                            Err(status) => Some((Err(status), None)),
                        }
                    });
                    Ok(Response::new(answers.boxed()))
                }
            }

            fn question(request: &ServerReflectionRequest) -> Option<Question> {
                Some(match request.message_request.clone()? {
                    MessageRequest::FileByFilename(name) => Question::File(name),
                    MessageRequest::FileContainingSymbol(name) => Question::Symbol(name),
                    MessageRequest::FileContainingExtension(extension) => {
                        Question::Extension(extension.containing_type, extension.extension_number)
                    }
                    MessageRequest::AllExtensionNumbersOfType(name) => Question::ExtensionNumbers(name),
                    MessageRequest::ListServices(_) => Question::Services,
                })
            }

            fn response(request: ServerReflectionRequest, answer: Answer) -> ServerReflectionResponse {
                let answer = match answer {
                    Answer::Files(file_descriptor_proto) => {
                        MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto })
                    }
                    Answer::ExtensionNumbers(base_type_name, extension_number) => {
                        let numbers = ExtensionNumberResponse { base_type_name, extension_number };
                        MessageResponse::AllExtensionNumbersResponse(numbers)
                    }
                    Answer::Services(names) => {
                        let service = names.into_iter().map(|name| ServiceResponse { name }).collect();
                        MessageResponse::ListServicesResponse(ListServiceResponse { service })
                    }
                    Answer::Error(code, error_message) => {
                        MessageResponse::ErrorResponse(ErrorResponse { error_code: code.into(), error_message })
                    }
                };
                let valid_host = request.host.clone();
                ServerReflectionResponse { valid_host, original_request: Some(request), message_response: Some(answer) }
            }
        }
    };
}

version!(v1);
version!(v1alpha);
