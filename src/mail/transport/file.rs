//! Mail as files in a directory, for tests and development: one `.eml` a mail, whole from the moment it has its name.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt;

use super::super::letter::Letter;
use super::super::{MailError, SendError};

/// The directory that mails are put into.
#[derive(Debug)]
pub(in crate::mail) struct File {
    directory: PathBuf,
}

impl File {
    /// Makes the directory, for its owner alone, unless it is there: mails hold codes.
    pub(in crate::mail) fn new(directory: PathBuf) -> Result<Self, MailError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(MailError::Directory)?;
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

/// The file is readable for its owner alone, whatever the umask: it may hold a code. An unfinished file of that name is replaced,
/// because a file that is there would keep the permissions that it has.
async fn write(unfinished: &Path, finished: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(unfinished).await {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished).await?;
    file.write_all(bytes).await?;
    file.flush().await?;
    fs::rename(unfinished, finished).await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::super::super::tests::letter;
    use super::File;
    use crate::mail::Fault;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_mail_is_a_file_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::new(directory.path().join("new/mails")).unwrap();
        file.send(&letter()).await.unwrap();

        let names: Vec<_> = file.directory.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["20260102T030405.000000Z-019b7ca0-0000-7000-8000-000000000001.eml"]);
        let bytes = std::fs::read(file.directory.join(names.first().unwrap())).unwrap();
        assert_eq!(bytes, letter().message.formatted());
        assert_eq!(mode(&file.directory.join(names.first().unwrap())), 0o600);
        assert_eq!((mode(&file.directory), mode(&directory.path().join("new"))), (0o700, 0o700));
    }

    #[tokio::test]
    async fn a_file_that_was_left_unfinished_is_not_written_into() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::new(directory.path().to_owned()).unwrap();
        let name = "20260102T030405.000000Z-019b7ca0-0000-7000-8000-000000000001.eml";
        let left = directory.path().join(format!(".{name}.part"));
        std::fs::write(&left, "left").unwrap();
        std::fs::set_permissions(&left, PermissionsExt::from_mode(0o644)).unwrap();
        file.send(&letter()).await.unwrap();
        assert_eq!(mode(&directory.path().join(name)), 0o600);
    }

    #[tokio::test]
    async fn a_directory_that_went_away_is_no_reason_to_give_up() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::new(directory.path().join("mails")).unwrap();
        std::fs::remove_dir(&file.directory).unwrap();
        assert_ne!(file.send(&letter()).await.unwrap_err().fault(), Fault::Mail);
    }
}
