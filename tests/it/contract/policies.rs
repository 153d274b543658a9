//! Access is declared: every method has a policy, what is declared half does not start, and changes show in review.

use std::collections::BTreeSet;

use keyward::policy::access::OWN_PERMISSIONS;
use keyward::proto::DESCRIPTORS;
use keyward::rpc::methods::{Methods, PolicyError};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, Value};

const PACKAGE: &str = "keyward.v1";

#[test]
fn who_may_call_what_changes_only_in_sight() {
    insta::assert_snapshot!(Methods::load().unwrap());
}

#[test]
fn every_method_has_a_policy() {
    let methods = Methods::load().unwrap();
    for method in methods_of(&pool()) {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        assert!(methods.get(&path).is_some(), "{path}");
    }
}

#[test]
fn the_permissions_of_administrators_are_those_of_the_api() {
    let declared = pool().get_enum_by_name("keyward.v1.Permission").unwrap();
    let names = declared.values().filter(|value| value.number() != 0).map(|value| {
        let name = value.name().strip_prefix("PERMISSION_").unwrap().to_lowercase();
        let (noun, verb) = name.rsplit_once('_').unwrap();
        format!("{noun}.{verb}")
    });
    let names: BTreeSet<_> = names.collect();
    assert_eq!(names, OWN_PERMISSIONS.map(str::to_owned).into());
}

#[test]
fn the_readme_holds_the_table_that_the_program_prints() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let (_, rest) = readme.split_once("<!-- methods: begin -->").expect("the table's beginning");
    let (table, _) = rest.split_once("<!-- methods: end -->").expect("the table's end");
    assert_eq!(table.trim(), Methods::load().unwrap().to_string().trim());
}

#[test]
fn a_method_without_a_policy_stops_the_start() {
    for method in methods_of(&pool()) {
        let changed = with_options(&method, DynamicMessage::clear_extension);
        assert_incomplete(&changed, &method, "whole");
    }
}

#[test]
fn a_policy_that_leaves_something_open_stops_the_start() {
    // The first of every service, since reading the descriptors that often takes its time.
    let firsts = methods_of(&pool()).into_iter().filter(|method| method.index() == 0);
    for method in firsts {
        for part in ["access", "device", "throttle"] {
            let changed = with_options(&method, |options, policy| {
                let declared = options.get_extension_mut(policy).as_message_mut().unwrap();
                declared.set_field_by_name(part, Value::EnumNumber(0));
            });
            assert_incomplete(&changed, &method, part);
        }
    }
}

fn assert_incomplete(pool: &DescriptorPool, method: &MethodDescriptor, part: &str) {
    match Methods::of(pool) {
        Err(PolicyError::Incomplete { method: named, part: missing }) => {
            assert_eq!((named.as_str(), missing), (method.full_name(), part));
        }
        other => panic!("{} without its {part}: {other:?}", method.full_name()),
    }
}

/// The descriptors without their comments, which only cost time here.
fn pool() -> DescriptorPool {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let mut file_set = file_set(&pool, DESCRIPTORS);
    for file in file_set.get_field_by_name_mut("file").unwrap().as_list_mut().unwrap() {
        file.as_message_mut().unwrap().clear_field_by_name("source_code_info");
    }
    DescriptorPool::decode(file_set.encode_to_vec().as_slice()).unwrap()
}

fn methods_of(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let ours = pool.services().filter(|service| service.package_name() == PACKAGE);
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// The descriptors of a method with other options for it.
fn with_options(
    method: &MethodDescriptor,
    change: impl FnOnce(&mut DynamicMessage, &ExtensionDescriptor),
) -> DescriptorPool {
    let pool = method.parent_pool();
    let policy = pool.get_extension_by_name("keyward.v1.policy").unwrap();
    let mut file_set = file_set(pool, &pool.encode_to_vec());
    let file = named(&mut file_set, "file", method.parent_service().parent_file().name());
    let service = named(file, "service", method.parent_service().name());
    let declaration = named(service, "method", method.name());
    change(declaration.get_field_by_name_mut("options").unwrap().as_message_mut().unwrap(), &policy);
    DescriptorPool::decode(file_set.encode_to_vec().as_slice()).unwrap()
}

/// Encoded descriptors as a message that can be changed, and keeps the options that generated types do not know.
fn file_set(pool: &DescriptorPool, encoded: &[u8]) -> DynamicMessage {
    let file_set = pool.get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
    DynamicMessage::decode(file_set, encoded).unwrap()
}

/// The message of this name in a repeated field.
fn named<'a>(message: &'a mut DynamicMessage, field: &str, name: &str) -> &'a mut DynamicMessage {
    let list = message.get_field_by_name_mut(field).unwrap().as_list_mut().unwrap();
    let mut messages = list.iter_mut().map(|value| value.as_message_mut().unwrap());
    messages.find(|message| message.get_field_by_name("name").unwrap().as_str() == Some(name)).unwrap()
}
