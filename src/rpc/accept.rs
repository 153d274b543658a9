//! What a handler starts with: a message whose shape is good, and what the interceptors found out.

use std::sync::Arc;
use std::time::Duration;

use prost_protovalidate::{Validate, ValidationError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Extensions, Request};

use super::fields::{self, Fields};
use super::interceptors::deadline::Deadline;
use super::listen::ConnectionShares;
use super::methods::MethodPolicy;
use crate::app::App;
use crate::error::{Error, Violation};
use crate::flows::passwords;
use crate::model::audit::{Act, Actor};
use crate::model::caller::{Authenticated, Caller};
use crate::model::device::DeviceId;
use crate::model::operation::AddressLockout;
use crate::model::origin::{DeviceOrigin, Origin};
use crate::model::password::Password;

/// The longest time that is set aside for an answer to be on its way.
const LONGEST_WAY: Duration = Duration::from_secs(1);

/// A call that may be served.
pub(super) struct Accepted<T> {
    /// The request message; its shape is what the protos say.
    pub(super) message: T,
    extensions: Extensions,
}

/// Checks the shape of a request's message against its `buf.validate` rules.
pub(super) fn accept<T: Validate>(request: Request<T>) -> Result<Accepted<T>, Error> {
    Ok(accept_as(request, |_| Ok(()))?.0)
}

/// Checks the shape of a request's message, and reads its fields: whatever is wrong with either is told at once.
pub(super) fn accept_as<T: Validate, F: Fields>(
    request: Request<T>,
    read: impl FnOnce(&Accepted<T>) -> F,
) -> Result<(Accepted<T>, F::Values), Error> {
    let (_, extensions, message) = request.into_parts();
    let form = violations(&message);
    let call = Accepted { message, extensions };
    let values = fields::all_besides(form, read(&call))?;
    Ok((call, values))
}

/// Does the same for a message with a new password: where other fields are wrong, the password is judged without them.
pub(super) async fn accept_new<T: Validate, F: Fields>(
    app: &App,
    request: Request<T>,
    password: impl Fn(&T) -> &str,
    read: impl FnOnce(&Accepted<T>) -> F,
) -> Result<(Accepted<T>, F::Values), Error> {
    let password = Password::parse(password(request.get_ref()));
    match (accept_as(request, read), password) {
        (Err(wrong), Ok(password)) => {
            let judged = passwords::check_alone(app, "password", password).await;
            fields::all((Err(wrong), judged)).map(|(accepted, ())| accepted)
        }
        (accepted, _) => accepted,
    }
}

/// What is wrong with the shape of a message.
fn violations(message: &impl Validate) -> Vec<Violation> {
    let violations = message.validate().err().map(ValidationError::into_violations).unwrap_or_default();
    let violations = violations.iter().map(|violation| {
        // The rule's own words may quote the value; which rule it was says enough where they are missing.
        let description = match violation.message() {
            "" if violation.rule_id() == "string.uuid" => "must be a UUID",
            "" => violation.rule_id(),
            message => message,
        };
        Violation::new(violation.field_path(), description)
    });
    violations.collect()
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

    /// The lockout of the client's address, which a device that the account knows is spared.
    pub(super) fn address_lockout(&self) -> Option<AddressLockout> {
        self.extensions.get().copied()
    }

    /// Which user is calling.
    pub(super) fn caller(&self) -> Result<Caller, Error> {
        self.extension()
    }

    /// What the method demands of its callers.
    pub(super) fn policy(&self) -> Result<Arc<MethodPolicy>, Error> {
        self.extension()
    }

    /// Who is calling a method that asks for somebody.
    pub(super) fn authenticated(&self) -> Result<Authenticated, Error> {
        self.extension()
    }

    /// Who acts in the call, and from where, for the audit trail.
    pub(super) fn act(&self) -> Result<Act, Error> {
        let Origin { ip_address, request_id, .. } = self.origin()?;
        let actor = match self.extensions.get() {
            Some(Authenticated::User(caller)) => Actor::User(caller.user_id),
            Some(Authenticated::Service(caller)) => Actor::ServiceKey(caller.service_key_id),
            None => Actor::Anonymous,
        };
        Ok(Act { actor, ip_address: Some(ip_address), device_id: self.device_id(), request_id })
    }

    /// When an answer that takes as long as it may has to be on its way: a tenth of what is left, or a second, before the deadline.
    pub(super) fn answer_at(&self) -> Result<Instant, Error> {
        let Deadline { answer, .. } = self.extension()?;
        let left = answer.saturating_duration_since(Instant::now());
        Ok(answer - (left / 10).min(LONGEST_WAY))
    }

    /// Cancelled when the call's connection has reached its age.
    pub(super) fn connection_old(&self) -> Result<CancellationToken, Error> {
        Ok(self.extension::<ConnectionShares>()?.old())
    }

    /// What an interceptor must have left; if not, the stack is put together wrongly.
    fn extension<E: Clone + Send + Sync + 'static>(&self) -> Result<E, Error> {
        let missing = || Error::internal(format!("no interceptor left {}", std::any::type_name::<E>()));
        self.extensions.get().cloned().ok_or_else(missing)
    }
}
