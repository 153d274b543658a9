//! What a handler starts with: a message whose shape is good, and what the interceptors found out.

use prost_protovalidate::Validate;
use tonic::{Extensions, Request};

use crate::error::{Error, Violation};
use crate::model::caller::Caller;
use crate::model::device::DeviceId;
use crate::model::origin::{DeviceOrigin, Origin};

/// A call that may be served.
pub(super) struct Accepted<T> {
    /// The request message; its shape is what the protos say.
    pub(super) message: T,
    extensions: Extensions,
}

/// Checks the shape of a request's message against its `buf.validate` rules.
pub(super) fn accept<T: Validate>(request: Request<T>) -> Result<Accepted<T>, Error> {
    let (_, extensions, message) = request.into_parts();
    let violations = match message.validate() {
        Ok(()) => return Ok(Accepted { message, extensions }),
        Err(error) => error.into_violations(),
    };
    let violations = violations.iter().map(|violation| {
        // The rule's own words may quote the value; which rule it was says enough where they are missing.
        let description = match violation.message() {
            "" if violation.rule_id() == "string.uuid" => "must be a UUID",
            "" => violation.rule_id(),
            message => message,
        };
        Violation::new(violation.field_path(), description)
    });
    Err(Error::Invalid(violations.collect()))
}

impl<T> Accepted<T> {
    /// Where the call comes from.
    pub(super) fn origin(&self) -> Result<Origin, Error> {
        self.extension()
    }

    /// The device that the call names, if any.
    pub(super) fn device_id(&self) -> Option<DeviceId> {
        self.extensions.get().cloned()
    }

    /// Where the call of a device-bound method comes from.
    pub(super) fn device_origin(&self) -> Result<DeviceOrigin, Error> {
        Ok(DeviceOrigin { origin: self.extension()?, device_id: self.extension()? })
    }

    /// Who is calling.
    pub(super) fn caller(&self) -> Result<Caller, Error> {
        self.extension()
    }

    /// What an interceptor must have left; if not, the stack is put together wrongly.
    fn extension<E: Clone + Send + Sync + 'static>(&self) -> Result<E, Error> {
        let missing = || Error::internal(format!("no interceptor left {}", std::any::type_name::<E>()));
        self.extensions.get().cloned().ok_or_else(missing)
    }
}
