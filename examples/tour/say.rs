//! What the tour says: steps, calls, answers, mails and facts, for people to read on a terminal.

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::io::IsTerminal;
use std::time::Duration;

use keyward::proto::DESCRIPTORS;
use prost_reflect::DescriptorPool;
use tonic::{Request, Status};
use tonic_types::StatusExt;

use crate::calls::Call;
use crate::mailbox::Mail;
use crate::show::{self, Line, shortened};
use crate::surprise::Surprise;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const MAGENTA: &str = "35";
const CYAN: &str = "36";

/// The voice of the tour.
#[derive(Clone)]
pub(crate) struct Say {
    pool: DescriptorPool,
    in_colour: bool,
}

impl Say {
    /// Speaks in colours to a terminal, unless `NO_COLOR` is set (no-color.org).
    pub(crate) fn new() -> Result<Self, Surprise> {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let in_colour = std::io::stdout().is_terminal() && !unwanted;
        Ok(Self { pool: DescriptorPool::decode(DESCRIPTORS)?, in_colour })
    }

    /// A step begins: what happens, and what to make of it.
    pub(crate) fn step(&self, title: &str, meaning: &str) {
        println!("\n{}\n{}", self.paint(BOLD, &format!("━━ {title}")), self.paint(DIM, &format!("   {meaning}")));
    }

    /// A device sends a request.
    pub(crate) fn sent<C: Call>(&self, device: &str, request: &Request<C>) {
        let method = self.paint(CYAN, &format!("→ {}/{}", C::SERVICE, C::METHOD));
        let metadata = self.paint(DIM, &show::metadata(request.metadata()));
        println!("\n{} {method}  {metadata}", self.paint(BOLD, device));
        self.message(&format!("keyward.v1.{}Request", C::METHOD), request.get_ref());
    }

    /// The service does as it was asked.
    pub(crate) fn answered<C: Call>(&self, reply: &C::Reply, after: Duration) {
        println!("{} {}", self.paint(GREEN, "← OK"), self.paint(DIM, &format!("{} ms", after.as_millis())));
        self.message(&format!("keyward.v1.{}Response", C::METHOD), reply);
    }

    /// The service refuses, and says why: the standard details of the status, decoded.
    pub(crate) fn refused(&self, status: &Status, after: Duration) {
        let code = format!("← {}", show::code(status));
        println!("{} {}", self.paint(YELLOW, &code), self.paint(DIM, &format!("{} ms", after.as_millis())));
        self.lines(&show::refusal(status, &status.get_error_details()));
    }

    /// A mail has come.
    pub(crate) fn mail(&self, mail: &Mail) {
        println!("\n{} {}", self.paint(MAGENTA, "✉"), self.paint(BOLD, &mail.subject));
        let text = match mail.find_code() {
            Some(code) => mail.text.replace(code, &shortened(code)),
            None => mail.text.clone(),
        };
        for line in text.lines() {
            println!("{}", format!("  {} {line}", self.paint(MAGENTA, "│")).trim_end());
        }
    }

    /// Something that must hold, and whether it does.
    pub(crate) fn fact(&self, fact: &str, holds: bool) {
        let mark = if holds { self.paint(GREEN, "✓") } else { self.paint(RED, "✗") };
        println!("{mark} {fact}");
    }

    /// The tour is over.
    pub(crate) fn end(&self) {
        println!("\n{}", self.paint(GREEN, "Everything was as it must be."));
    }

    fn message(&self, name: &str, message: &impl prost::Message) {
        if let Some(descriptor) = self.pool.get_message_by_name(name) {
            self.lines(&show::message(descriptor, message));
        }
    }

    fn lines(&self, lines: &[Line]) {
        let width = lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
        for Line { name, value } in lines {
            println!("    {}  {value}", self.paint(DIM, &format!("{name:width$}")));
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.in_colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
