//! Turns the protos into Rust: messages and services, their validation, and a `Debug` that keeps secrets.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

const ROOT: &str = "proto";

/// Needed by transcoders to render error details; nothing of ours imports them.
const ERROR_DETAILS: [&str; 3] = ["google/rpc/code.proto", "google/rpc/error_details.proto", "google/rpc/status.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    println!("cargo:rerun-if-changed=migrations");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let descriptors = out.join("descriptors.bin");

    let mut compiler = protox::Compiler::new([ROOT])?;
    compiler.include_imports(true).include_source_info(true).open_files(files()?)?;
    // Not through prost-types, which would drop the custom options.
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(&descriptors, &encoded)?;

    let pool = DescriptorPool::decode(encoded.as_slice())?;
    let secret = secret_messages(&pool);
    tonic_prost_build::configure()
        .include_file("all.rs")
        .compile_well_known_types(false)
        .generate_default_stubs(true)
        .disable_comments([".google", ".buf"])
        .skip_debug(secret.iter().map(|message| format!(".{}", message.full_name())))
        .compile_fds(compiler.file_descriptor_set())?;
    prost_protovalidate_build::Builder::new()
        .file_descriptor_set_path(&descriptors)?
        .fail_on_runtime_only(true)
        .compile()?;
    write_debug(&out.join("debug_impl.rs"), &secret)?;
    let validated = fs::read_to_string(out.join("validate_impl.rs"))?;
    write_validate(&out.join("validate_rest_impl.rs"), &pool, &validated)?;
    Ok(())
}

fn files() -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    let mut files: Vec<PathBuf> = ERROR_DETAILS.iter().map(PathBuf::from).collect();
    for entry in fs::read_dir(Path::new(ROOT).join("keyward/v1"))? {
        files.push(entry?.path().strip_prefix(ROOT)?.to_owned());
    }
    files.sort();
    Ok(files)
}

/// The messages that hold a field marked `debug_redact`.
fn secret_messages(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    pool.all_messages()
        .filter(|message| message.package_name() == "keyward.v1")
        .filter(|message| {
            let redacted = |field: FieldDescriptor| {
                field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
            };
            message.fields().any(redacted)
        })
        .collect()
}

/// Gives the requests without rules a `Validate` too, so that every handler validates and none can forget to when a rule
/// is added.
fn write_validate(path: &Path, pool: &DescriptorPool, validated: &str) -> Result<(), std::io::Error> {
    let mut file = fs::File::create(path)?;
    for message in pool.all_messages().filter(|message| message.full_name().starts_with("keyward.v1.")) {
        let name = message.name();
        if name.ends_with("Request") && !validated.contains(&format!(" for keyward::v1::{name} ")) {
            writeln!(
                file,
                "impl ::prost_protovalidate::Validate for keyward::v1::{name} {{\n    fn validate(&self) -> \
                 ::core::result::Result<(), ::prost_protovalidate::ValidationError> {{\n        Ok(())\n    }}\n}}"
            )?;
        }
    }
    Ok(())
}

/// Gives them a `Debug` that prints their name and nothing else.
fn write_debug(path: &Path, messages: &[MessageDescriptor]) -> Result<(), std::io::Error> {
    let mut file = fs::File::create(path)?;
    for message in messages {
        let name = message.name();
        writeln!(
            file,
            "impl ::core::fmt::Debug for keyward::v1::{name} {{\n    fn fmt(&self, f: &mut \
             ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n        f.write_str(\"{name}(..)\")\n    }}\n}}"
        )?;
    }
    Ok(())
}
