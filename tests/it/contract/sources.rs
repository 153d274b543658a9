//! The project's own files, as text.

use std::path::{Path, PathBuf};

/// A Rust file, without its comments.
pub(super) struct Source {
    /// Where it is, from the project's root.
    pub(super) path: String,
    /// What it says.
    pub(super) code: String,
}

impl Source {
    /// The module at the top of the crate that the file belongs to: `store` for `src/store/pg/users.rs`.
    pub(super) fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap();
        inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |(module, _)| module)
    }

    /// The crates and modules that its paths begin with, as `store::pg` does with `store`; `crate` apart.
    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        let ends = self.code.match_indices("::").map(|(end, _)| &self.code[..end]);
        ends.filter_map(|before| {
            let start = before.rfind(|character| !is_identifier(character)).map_or(0, |at| at + 1);
            (!before[..start].ends_with("::")).then_some(&before[start..]).filter(|root| !root.is_empty())
        })
    }

    /// The modules at the top of the crate that it names, as `use crate::store::pg` and `use crate::{store, model}` do.
    pub(super) fn imports(&self) -> Vec<&str> {
        let paths = self.code.split("crate::").skip(1);
        paths.flat_map(|path| path.strip_prefix('{').map_or_else(|| vec![first_name(path)], names_of_group)).collect()
    }
}

/// Every Rust file under `directory` of the project, in a settled order.
pub(super) fn rust_files(directory: &str) -> Vec<Source> {
    let mut files: Vec<_> =
        files(&root().join(directory)).into_iter().filter(|path| has_extension(path, "rs")).collect();
    files.sort();
    files.iter().map(|path| source(path)).collect()
}

/// The SQL that migrates upwards, all of it.
pub(super) fn migrations() -> String {
    let scripts = files(&root().join("migrations")).into_iter().filter(|path| path.ends_with("up.sql"));
    scripts.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The project's root.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|own| own == extension)
}

fn source(path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap();
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    Source { path: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), code: code.join("\n") }
}

fn is_identifier(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn first_name(path: &str) -> &str {
    path.split(|character| !is_identifier(character)).next().unwrap()
}

/// The first names of `a::b, c::{d, e}, f}`.
fn names_of_group(group: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.push(first_name(group[start..at].trim_start()));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code =
        "use crate::model::id;\npub use crate::{\n    store::{pg, memory},\n    token,\n};\nfn f() -> crate::app::App";
    let source = Source { path: "src/x.rs".to_owned(), code: code.to_owned() };
    assert_eq!(source.imports(), ["model", "store", "token", "app"]);
    let code =
        "use diesel::{a::b, c};\nlet x = Vec::<u8>::new(); tonic::Status::ok(); <T as prost::Message>::encode(t)";
    let source = Source { path: "src/x.rs".to_owned(), code: code.to_owned() };
    assert_eq!(source.roots().collect::<Vec<_>>(), ["diesel", "a", "Vec", "tonic", "prost"]);
}
