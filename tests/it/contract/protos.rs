//! What the protos promise to gateways and readers, beyond what `buf lint` checks.

use std::collections::BTreeSet;

use keyward::proto::DESCRIPTORS;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

const PACKAGE: &str = "keyward.v1";

#[test]
fn unary_methods_have_a_route_and_streams_have_none() {
    for method in methods() {
        assert!(!method.is_client_streaming(), "{}", method.full_name());
        assert_eq!(routes(&method).is_empty(), method.is_server_streaming(), "{}", method.full_name());
    }
}

#[test]
fn no_two_methods_share_a_route() {
    let mut seen = BTreeSet::new();
    for route in methods().iter().flat_map(routes) {
        // The name of a variable tells two routes from each other to nobody.
        let shape =
            route.segments().map(|(segment, is_variable)| if is_variable { "*" } else { segment }).collect::<String>();
        assert!(seen.insert((route.verb.clone(), shape)), "{} {} is there twice", route.verb, route.path);
    }
}

#[test]
fn routes_name_fields_of_the_request() {
    for method in methods() {
        for route in routes(&method) {
            let body = Some(route.body.clone()).filter(|body| !matches!(body.as_str(), "" | "*"));
            for name in route.variables().map(str::to_owned).chain(body) {
                assert!(
                    method.input().get_field_by_name(&name).is_some(),
                    "{} has no {name}",
                    method.input().full_name()
                );
            }
        }
    }
}

#[test]
fn no_secret_travels_in_a_path_or_a_query() {
    for method in methods() {
        for route in routes(&method) {
            let in_body = |field: &FieldDescriptor| {
                !route.variables().any(|name| name == field.name()) && (route.body == "*" || route.body == field.name())
            };
            for field in method.input().fields().filter(|field| !in_body(field)) {
                assert!(
                    !is_secret(&field, &mut BTreeSet::new()),
                    "{} of {} {}",
                    field.full_name(),
                    route.verb,
                    route.path
                );
            }
        }
    }
}

#[test]
fn every_field_says_how_it_behaves() {
    let behavior = pool().get_extension_by_name("google.api.field_behavior").unwrap();
    for field in messages().iter().flat_map(MessageDescriptor::fields) {
        let declared = field.options().get_extension(&behavior).as_list().map_or(0, <[_]>::len);
        assert_eq!(declared, 1, "{}", field.full_name());
    }
}

#[test]
fn what_is_named_like_a_secret_is_marked_as_one() {
    for field in messages().iter().flat_map(MessageDescriptor::fields).filter(|field| field.kind() == Kind::String) {
        let secrets = ["password", "code", "access_token", "refresh_token", "reset_token", "secret"];
        if secrets.iter().any(|name| field.name() == *name || field.name().ends_with(&format!("_{name}"))) {
            assert!(redacted(&field), "{}", field.full_name());
        }
    }
}

/// A binding of a method to HTTP.
struct Route {
    verb: String,
    path: String,
    body: String,
}

impl Route {
    /// The parts of the path, and whether each is a variable's name.
    fn segments(&self) -> impl Iterator<Item = (&str, bool)> {
        self.path.split(['{', '}']).enumerate().map(|(at, segment)| (segment, at % 2 == 1))
    }

    fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments().filter_map(|(segment, is_variable)| is_variable.then_some(segment))
    }
}

/// The `google.api.http` of a method, with its additional bindings.
fn routes(method: &MethodDescriptor) -> Vec<Route> {
    let http = method.parent_pool().get_extension_by_name("google.api.http").unwrap();
    let options = method.options();
    if !options.has_extension(&http) {
        return Vec::new();
    }
    let rule = options.get_extension(&http);
    let rule = rule.as_message().unwrap();
    let more = rule.get_field_by_name("additional_bindings").unwrap();
    let more = more.as_list().unwrap().iter().map(|rule| route(rule.as_message().unwrap()));
    std::iter::once(route(rule)).chain(more).collect()
}

fn route(rule: &DynamicMessage) -> Route {
    let verb = ["get", "put", "post", "delete", "patch"].into_iter().find(|verb| rule.has_field_by_name(verb)).unwrap();
    let text = |name| rule.get_field_by_name(name).unwrap().as_str().unwrap().to_owned();
    Route { verb: verb.to_owned(), path: text(verb), body: text("body") }
}

/// Whether the field is a secret, or a message that holds one.
fn is_secret(field: &FieldDescriptor, seen: &mut BTreeSet<String>) -> bool {
    let inside = |message: &MessageDescriptor, seen: &mut BTreeSet<String>| {
        seen.insert(message.full_name().to_owned()) && message.fields().any(|field| is_secret(&field, seen))
    };
    redacted(field) || field.kind().as_message().is_some_and(|message| inside(message, seen))
}

fn redacted(field: &FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTORS).unwrap()
}

fn methods() -> Vec<MethodDescriptor> {
    let services: Vec<_> = pool().services().filter(|service| service.package_name() == PACKAGE).collect();
    services.iter().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn messages() -> Vec<MessageDescriptor> {
    let ours = |message: &MessageDescriptor| message.package_name() == PACKAGE && !message.is_map_entry();
    pool().all_messages().filter(ours).collect()
}
