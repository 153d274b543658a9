//! The files, symbols and extensions that reflection tells of.

use std::collections::{HashMap, HashSet};

use prost_reflect::{DescriptorError, DescriptorPool, EnumDescriptor, FileDescriptor, MessageDescriptor};
use tonic::Code;

/// What a client asks.
pub(super) enum Question {
    /// For a file, by its name.
    File(String),
    /// For the file that declares a service, method, message, field, enum, value or extension.
    Symbol(String),
    /// For the file that declares an extension of a message, by its number.
    Extension(String, i32),
    /// For the numbers of the extensions of a message.
    ExtensionNumbers(String),
    /// For the services.
    Services,
}

/// What it is told.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The encoded file, and what it depends on.
    Files(Vec<Vec<u8>>),
    /// The full name of the message, and the numbers of its extensions.
    ExtensionNumbers(String, Vec<i32>),
    /// The full names of the services.
    Services(Vec<String>),
    /// There is no answer; the stream goes on.
    Error(Code, String),
}

/// Everything that is served, by file and by symbol.
#[derive(Debug)]
pub(super) struct Catalogue {
    pool: DescriptorPool,
    symbols: HashMap<String, FileDescriptor>,
}

impl Catalogue {
    /// Reads encoded sets of descriptors.
    pub(super) fn new(sets: &[&[u8]]) -> Result<Self, DescriptorError> {
        let mut pool = DescriptorPool::new();
        for set in sets {
            pool.decode_file_descriptor_set(*set)?;
        }
        let mut symbols = Symbols::default();
        for service in pool.services() {
            let file = service.parent_file();
            symbols.add(&file, service.full_name());
            service.methods().for_each(|method| symbols.add(&file, method.full_name()));
        }
        pool.all_messages().for_each(|message| symbols.add_message(&message));
        pool.all_enums().for_each(|it| symbols.add_enum(&it));
        pool.all_extensions().for_each(|extension| symbols.add(&extension.parent_file(), extension.full_name()));
        Ok(Self { pool, symbols: symbols.0 })
    }

    /// Answers a question on a stream on which the files of these names have been sent.
    pub(super) fn answer(&self, question: Option<Question>, sent: &mut HashSet<String>) -> Answer {
        let (answer, asked) = match question {
            None => return Answer::Error(Code::InvalidArgument, "the request asks nothing".to_owned()),
            Some(Question::Services) => {
                return Answer::Services(self.pool.services().map(|it| it.full_name().to_owned()).collect());
            }
            Some(Question::File(name)) => (self.pool.get_file_by_name(&name).map(|it| files(it, sent)), name),
            Some(Question::Symbol(name)) => (self.symbols.get(&name).map(|it| files(it.clone(), sent)), name),
            Some(Question::Extension(message, number)) => {
                let extension = self.message(&message).and_then(|it| {
                    let number = u32::try_from(number).ok()?;
                    it.get_extension(number)
                });
                let file = extension.map(|it| files(it.parent_file(), sent));
                (file, format!("extension {number} of {message}"))
            }
            Some(Question::ExtensionNumbers(name)) => (self.message(&name).map(|it| extension_numbers(&it)), name),
        };
        answer.unwrap_or_else(|| Answer::Error(Code::NotFound, format!("{asked} is not known")))
    }

    fn message(&self, name: &str) -> Option<MessageDescriptor> {
        self.pool.get_message_by_name(name)
    }
}

/// The file itself, and those that it depends on and that have not been sent.
fn files(file: FileDescriptor, sent: &mut HashSet<String>) -> Answer {
    let mut files = Vec::new();
    let mut pending = vec![file];
    while let Some(file) = pending.pop() {
        // The file that is asked for is sent, sent before or not.
        if sent.insert(file.name().to_owned()) || files.is_empty() {
            files.push(file.encode_to_vec());
            pending.extend(file.dependencies());
        }
    }
    Answer::Files(files)
}

fn extension_numbers(message: &MessageDescriptor) -> Answer {
    let mut numbers: Vec<_> = message.extensions().filter_map(|it| i32::try_from(it.number()).ok()).collect();
    numbers.sort_unstable();
    Answer::ExtensionNumbers(message.full_name().to_owned(), numbers)
}

/// Which file declares a name.
#[derive(Default)]
struct Symbols(HashMap<String, FileDescriptor>);

impl Symbols {
    fn add(&mut self, file: &FileDescriptor, name: &str) {
        self.0.insert(name.to_owned(), file.clone());
    }

    fn add_message(&mut self, message: &MessageDescriptor) {
        let file = message.parent_file();
        self.add(&file, message.full_name());
        message.fields().for_each(|field| self.add(&file, field.full_name()));
        message.oneofs().for_each(|oneof| self.add(&file, oneof.full_name()));
    }

    fn add_enum(&mut self, it: &EnumDescriptor) {
        let file = it.parent_file();
        self.add(&file, it.full_name());
        it.values().for_each(|value| self.add(&file, value.full_name()));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use prost_reflect::prost::Message;
    use prost_reflect::prost_types::FileDescriptorProto;

    use super::{Answer, Catalogue, Code, HashSet, Question};
    use crate::proto::DESCRIPTORS;

    fn names(answer: &Answer) -> Vec<String> {
        let Answer::Files(files) = answer else { panic!("{answer:?}") };
        files.iter().map(|file| FileDescriptorProto::decode(file.as_slice()).unwrap().name().to_owned()).collect()
    }

    #[test]
    fn a_file_comes_with_what_it_depends_on_once() {
        let (catalogue, mut sent) = (Catalogue::new(&[DESCRIPTORS]).unwrap(), HashSet::new());
        let symbol = || Some(Question::Symbol("keyward.v1.AuthService.Login".to_owned()));
        let first = names(&catalogue.answer(symbol(), &mut sent));
        assert_eq!(first.first().map(String::as_str), Some("keyward/v1/auth_service.proto"));
        assert!(first.iter().any(|name| name == "google/protobuf/descriptor.proto"), "{first:?}");
        assert_eq!(names(&catalogue.answer(symbol(), &mut sent)), ["keyward/v1/auth_service.proto"]);
        let file = Some(Question::File("keyward/v1/policy.proto".to_owned()));
        assert_eq!(names(&catalogue.answer(file, &mut sent)), ["keyward/v1/policy.proto"]);
    }

    #[test]
    fn every_kind_of_symbol_is_known() {
        let catalogue = Catalogue::new(&[DESCRIPTORS]).unwrap();
        for symbol in [
            "keyward.v1.AuthService",
            "keyward.v1.LoginRequest",
            "keyward.v1.LoginRequest.email",
            "keyward.v1.MethodPolicy",
            "keyward.v1.Access",
            "keyward.v1.ACCESS_PUBLIC",
            "keyward.v1.policy",
        ] {
            assert!(
                !names(&catalogue.answer(Some(Question::Symbol(symbol.to_owned())), &mut HashSet::new())).is_empty()
            );
        }
    }

    #[test]
    fn extensions_are_found_by_number() {
        let (catalogue, mut sent) = (Catalogue::new(&[DESCRIPTORS]).unwrap(), HashSet::new());
        let options = "google.protobuf.MethodOptions".to_owned();
        let found = catalogue.answer(Some(Question::Extension(options.clone(), 50_001)), &mut sent);
        assert_eq!(names(&found).first().map(String::as_str), Some("keyward/v1/policy.proto"));
        let numbers = catalogue.answer(Some(Question::ExtensionNumbers(options.clone())), &mut sent);
        assert_eq!(numbers, Answer::ExtensionNumbers(options.clone(), vec![50_001, 72_295_728]));
        for number in [-1, 0, 50_002] {
            let unknown = catalogue.answer(Some(Question::Extension(options.clone(), number)), &mut sent);
            assert!(matches!(unknown, Answer::Error(Code::NotFound, _)), "{unknown:?}");
        }
        assert!(matches!(catalogue.answer(None, &mut sent), Answer::Error(Code::InvalidArgument, _)));
    }
}
