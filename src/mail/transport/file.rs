//! Mail as files in a directory, for tests and development: one `.eml` a mail, whole from the moment it has its name.

use std::path::{Path, PathBuf};

use tokio::fs;

use super::super::letter::Letter;
use super::super::{MailError, SendError};

/// The directory that mails are put into.
#[derive(Debug)]
pub(in crate::mail) struct File {
    directory: PathBuf,
}

impl File {
    /// Makes the directory unless it is there.
    pub(in crate::mail) fn new(directory: PathBuf) -> Result<Self, MailError> {
        std::fs::create_dir_all(&directory).map_err(MailError::Directory)?;
        Ok(Self { directory })
    }

    /// Writes a letter under a hidden name and then renames it. By name, files are in the order of sending; the same
    /// mail sent twice at the same time is the same file.
    pub(in crate::mail) async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let name = format!("{}-{}.eml", letter.sent_at.format("%Y%m%dT%H%M%S%.6fZ"), letter.id);
        let unfinished = self.directory.join(format!(".{name}.part"));
        write(&unfinished, &self.directory.join(name), &letter.message.formatted()).await.map_err(SendError::Write)
    }
}

async fn write(unfinished: &Path, finished: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::write(unfinished, bytes).await?;
    fs::rename(unfinished, finished).await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::super::tests::letter;
    use super::File;

    #[tokio::test]
    async fn a_mail_is_a_file_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::new(directory.path().join("new/mails")).unwrap();
        file.send(&letter()).await.unwrap();

        let names: Vec<_> = file.directory.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["20260102T030405.000000Z-019b7ca0-0000-7000-8000-000000000001.eml"]);
        let bytes = std::fs::read(file.directory.join(names.first().unwrap())).unwrap();
        assert_eq!(bytes, letter().message.formatted());
    }

    #[tokio::test]
    async fn a_directory_that_went_away_is_no_reason_to_give_up() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::new(directory.path().join("mails")).unwrap();
        std::fs::remove_dir(&file.directory).unwrap();
        assert!(!file.send(&letter()).await.unwrap_err().is_permanent());
    }
}
