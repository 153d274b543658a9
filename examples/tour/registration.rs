//! An account begins: registered, and real once the code from the mail proves the address.

use keyward::proto::keyward::v1::user::State;
use keyward::proto::keyward::v1::{ErrorReason, RegisterRequest, User, VerifyEmailRequest};
use tonic::Code;

use crate::Tour;
use crate::account::FIRST_PASSWORD;
use crate::device::Device;
use crate::surprise::Surprise;

/// A registration that waits for its code.
pub(crate) struct Registration {
    id: String,
    code: String,
}

/// Asks for an account, and reads the code from the mail.
pub(crate) async fn register(tour: &mut Tour, phone: &Device) -> Result<Registration, Surprise> {
    tour.say.step("Register", "The answer is the same whether or not the address has an account.");
    let request = RegisterRequest {
        email: tour.email.clone(),
        password: FIRST_PASSWORD.to_owned(),
        display_name: "Ada".to_owned(),
    };
    let id = phone.call(request).await?.registration_id;
    let code = tour.mail("Confirm your e-mail address").await?.code()?.to_owned();
    Ok(Registration { id, code })
}

/// Guesses the code wrong, then gives the right one.
pub(crate) async fn verify(tour: &mut Tour, phone: &Device, registration: Registration) -> Result<(), Surprise> {
    let Registration { id, code } = registration;

    tour.say.step("Verify the address, with a wrong code", "It is refused, and one of five attempts is gone.");
    let guess = VerifyEmailRequest { registration_id: id.clone(), code: another(&code) };
    let details = phone.refused(guess, Code::InvalidArgument, ErrorReason::CodeInvalid).await?;
    let violations = details.bad_request().map(|it| it.field_violations.as_slice()).unwrap_or_default();
    let names_code = matches!(violations, [only] if only.field == "code");
    tour.check("the refusal names the field that is wrong", names_code)?;

    tour.say.step("Verify the address, with the right code", "Only now is there a user.");
    let request = VerifyEmailRequest { registration_id: id, code };
    let user = phone.call(request).await?.user.unwrap_or_default();
    tour.check("the user has the address that was proved", user.email == tour.email)?;
    tour.check("the user is active and has the role normal_user", is_normal(&user))?;
    tour.mail("Welcome").await.map(drop)
}

fn is_normal(user: &User) -> bool {
    user.state() == State::Active && user.roles == ["normal_user"]
}

/// Six digits that are not the code.
fn another(code: &str) -> String {
    if code == "000000" { "000001" } else { "000000" }.to_owned()
}
