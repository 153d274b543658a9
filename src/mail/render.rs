//! From what is to be told to its words: subject, plain text and HTML, in the reader's language.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::fold::fold;
use super::language::{LANGUAGES, SHARED, lookup};
use super::untrusted::{DEVICE, NAME, USER_AGENT, harmless};
use super::{Content, Mail, RenderError};
use crate::model::code::Code;

/// The templates of all languages, and the name of the product that speaks.
#[derive(Debug)]
pub struct Renderer {
    templates: Environment<'static>,
    product: String,
}

/// A mail in words. Its text may hold a code and is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject: one line, never a code.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as an HTML document.
    pub html: String,
}

impl Renderer {
    /// A renderer for mails in the name of `product_name`.
    ///
    /// # Errors
    ///
    /// When the name is empty, too long or could be taken for a code, or a template is broken.
    pub fn new(product_name: &str) -> Result<Self, RenderError> {
        if !is_product_name(product_name) {
            return Err(RenderError::ProductName);
        }
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        // Its errors would carry the values of variables, codes among them, into the log.
        templates.set_debug(false);
        for (name, source) in LANGUAGES.iter().flat_map(|language| language.sources).chain(SHARED) {
            templates.add_template(name, source)?;
        }
        Ok(Self { templates, product: product_name.to_owned() })
    }

    /// The words of `mail`.
    ///
    /// # Errors
    ///
    /// When a template wants something that it does not get: a mistake in the template.
    pub fn render(&self, mail: &Mail) -> Result<Rendered, RenderError> {
        let lang = lookup(mail.locale.as_deref());
        let folder = format!("{lang}/{}", mail.content.kind());
        let name = mail.display_name.as_deref().filter(|name| !mail.content.is_for_strangers() && !has_code(name));
        let context = context! {
            lang, product => &self.product, name => name.and_then(|name| harmless(name, NAME)), ..facts(&mail.content)
        };
        let part =
            |part: &str, context: Value| self.templates.get_template(&format!("{folder}/{part}"))?.render(context);
        let subject = part("subject.txt", context.clone())?;
        let context = context! { subject => &subject, ..context };
        Ok(Rendered {
            text: fold(&part("body.txt", context.clone())?),
            html: fold(&part("body.html", context)?),
            subject,
        })
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// What the templates of a kind of mail may use besides `lang`, `product`, `subject` and `name`.
fn facts(content: &Content) -> Value {
    match content {
        Content::VerificationCode { code, expires_in } | Content::ResetCode { code, expires_in } => {
            context! { code => code.as_str(), expires_in => span(*expires_in) }
        }
        Content::Invitation { reset_id, code, expires_in, link } => context! {
            reset_id => reset_id.to_string(), code => code.as_str(), expires_in => span(*expires_in), link
        },
        Content::AccountExists | Content::Welcome | Content::ResetCodesGuessed => context! {},
        Content::PasswordChanged { at, ip_address, device_name } => context! {
            at => time(*at), ip_address => ip_address.to_canonical().to_string(), device => device(device_name.as_deref())
        },
        Content::NewDevice { device_name, ip_address, user_agent, at } => context! {
            at => time(*at),
            ip_address => ip_address.to_canonical().to_string(),
            device => device(device_name.as_deref()),
            user_agent => user_agent.as_deref().and_then(|agent| harmless(agent, USER_AGENT)),
        },
        Content::SessionEnded { device_name, at } => context! {
            at => time(*at), device => device(device_name.as_deref())
        },
        Content::AccountLocked { until } => context! { until => time(*until) },
    }
}

fn device(name: Option<&str>) -> Option<String> {
    harmless(name?, DEVICE)
}

/// A time in a form that is the same in all languages. The reader's time zone is not known.
fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A span as a number and a unit, the largest that it is one or at least two of. Never more than it really is.
fn span(span: Duration) -> Value {
    const UNITS: [(u64, &str); 3] = [(24 * 3600, "day"), (3600, "hour"), (60, "minute")];
    let seconds = span.as_secs();
    let unit = UNITS.into_iter().find(|(unit, _)| seconds == *unit || seconds >= 2 * unit);
    let (unit, name) = unit.unwrap_or((1, "second"));
    context! { count => seconds / unit, unit => name }
}

fn is_product_name(name: &str) -> bool {
    let printable = !name.is_empty() && name.trim() == name && !name.chars().any(char::is_control);
    printable && name.chars().count() <= 64 && !has_code(name)
}

/// Whether there are so many digits in a row that a reader, or a program, could take them for a code.
fn has_code(text: &str) -> bool {
    text.split(|c: char| !c.is_numeric()).any(|digits| digits.chars().count() >= Code::DIGITS)
}
