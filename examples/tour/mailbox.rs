//! The mailbox: the directory where the service's `file` transport puts its mails.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::time::{sleep, timeout};

use crate::surprise::Surprise;

/// How long a mail may take. It is a job's work, begun when its transaction is through.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(25);

/// The mails to one address.
pub(crate) struct Mailbox {
    directory: PathBuf,
    to: String,
    opened: HashSet<OsString>,
}

impl Mailbox {
    /// The mails in `directory` that are for `to`.
    pub(crate) fn new(directory: PathBuf, to: &str) -> Self {
        Self { directory, to: to.to_owned(), opened: HashSet::new() }
    }

    /// Waits for a mail that was not taken out before and whose subject begins so.
    pub(crate) async fn next(&mut self, subject: &str) -> Result<Mail, Surprise> {
        let waiting = async {
            loop {
                if let Some(mail) = self.take(subject)? {
                    return Ok(mail);
                }
                sleep(INTERVAL).await;
            }
        };
        let come = timeout(PATIENCE, waiting).await;
        come.unwrap_or_else(|_| Err(Surprise::NoMail { subject: subject.to_owned(), to: self.to.clone() }))
    }

    fn take(&mut self, subject: &str) -> Result<Option<Mail>, Surprise> {
        let unreadable = |source| Surprise::Mailbox { directory: self.directory.clone(), source };
        for name in letters(&self.directory).map_err(unreadable)? {
            if self.opened.contains(&name) {
                continue;
            }
            let message = fs::read_to_string(self.directory.join(&name)).map_err(unreadable)?;
            let mail = Mail::parse(&message);
            if let Some(mail) = mail.filter(|mail| mail.to == self.to && mail.subject.starts_with(subject)) {
                self.opened.insert(name);
                return Ok(Some(mail));
            }
        }
        Ok(None)
    }
}

/// The finished mails by name, which is the order of sending.
fn letters(directory: &Path) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<_> = entries.into_iter().filter(|name| is_letter(Path::new(name))).collect();
    names.sort();
    Ok(names)
}

/// An unfinished one ends in `.part`.
fn is_letter(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "eml")
}

/// A mail, as far as it matters to its reader.
pub(crate) struct Mail {
    /// Whom it is for.
    pub(crate) to: String,
    /// What it is about.
    pub(crate) subject: String,
    /// What it says, without the footer.
    pub(crate) text: String,
}

impl Mail {
    /// Reads the plain part of a multipart message (RFC 2046). It is ASCII, as all that goes into it is on this tour.
    fn parse(message: &str) -> Option<Self> {
        let message = message.replace("\r\n", "\n");
        let (head, body) = message.split_once("\n\n")?;
        // A line that begins with a space goes on with the one before.
        let head = head.replace("\n ", " ");
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let boundary = header("Content-Type")?.split_once("boundary=\"")?.1.split('"').next()?;
        let (_, plain) = body.split(&format!("--{boundary}")).nth(1)?.split_once("\n\n")?;
        let text = plain.split("\n--\n").next()?.trim();
        Some(Self { to: header("To")?.to_owned(), subject: header("Subject")?.to_owned(), text: text.to_owned() })
    }

    /// The six digits that stand on a line of their own.
    pub(crate) fn code(&self) -> Result<&str, Surprise> {
        self.find_code().ok_or_else(|| Surprise::NoCode(self.subject.clone()))
    }

    /// The same, where there may be none.
    pub(crate) fn find_code(&self) -> Option<&str> {
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        self.text.lines().map(str::trim).find(is_code)
    }
}
