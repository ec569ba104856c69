//! `ostiary sigdb`: signature databases made, signed, compared and shown.

use std::io::Write;
use std::path::{Path, PathBuf};

use sigdb::{Container, Database, Source};

use super::arguments::{SigdbCommand, SigdbOptions};
use super::output::{Failure, Output, complain};
use super::table::{Cell, Table};
use super::trial::trial;
use crate::manage::SigdbRow;
use crate::signatures::key::{PublicKey, SigningKey};
use crate::signatures::{self, Trust};

pub(super) fn sigdb(options: &SigdbOptions, output: &mut Output) -> Result<(), Failure> {
    match &options.what {
        SigdbCommand::Compile { output: file, key, sources } => compile(sources, key.as_deref(), file, output),
        SigdbCommand::Key { file } => {
            let key = SigningKey::create(file).map_err(|error| Failure::Running(error.to_string()))?;
            output.line(&format!("trusted-keys = [\"{}\"]", key.public()))
        }
        SigdbCommand::Verify { trusted, file } => verify(file, trusted, output),
        SigdbCommand::Diff { files } => {
            let (old, new) = match &files[..] {
                [old, new] => (load(Some(old))?, load(Some(new))?),
                [new] => (load(None)?, load(Some(new))?),
                _ => return Err(Failure::Input("name one database, or two".to_owned())),
            };
            new.diff(&old).lines().iter().try_for_each(|line| output.line(line))
        }
        SigdbCommand::Test { file, capture } => trial(file, capture.as_deref(), output),
        SigdbCommand::Show { file, json } => {
            let database = load(file.as_deref())?;
            let row = SigdbRow::new(&database, file.as_deref());
            if *json { output.json(&row) } else { put(&row, output) }
        }
    }
}

/// A database, whoever signed it: it is only looked at. None: the one that is built in.
fn load(file: Option<&Path>) -> Result<Database, Failure> {
    let Some(file) = file else { return Ok(signatures::built_in()) };
    Database::load(file).map_err(|error| Failure::Input(error.to_string()))
}

fn verify(file: &Path, trusted: &[String], output: &mut Output) -> Result<(), Failure> {
    let input = |error: &dyn std::fmt::Display| Failure::Input(error.to_string());
    let mut keys = Vec::new();
    for text in trusted {
        let key = PublicKey::parse(text);
        keys.push(key.ok_or_else(|| input(&format!("{text:?} is no public key: 32 octets in base 64")))?);
    }
    let container = Container::read(file).map_err(|error| input(&error))?;
    let database = container.database().map_err(|error| input(&error))?;
    let signer = container.signature().map(|signature| PublicKey::from(signature.key));
    // Without keys to trust, whoever signed it may have: what is asked is whether the signature holds.
    let keys = if trusted.is_empty() { signer.into_iter().collect() } else { keys };
    Trust { keys, unsigned: trusted.is_empty() }.open(file).map_err(|error| input(&error))?;
    let signer = signer.map_or_else(|| "not signed".to_owned(), |key| format!("signed with {key}"));
    let (version, date) = (database.version(), database.date());
    output.line(&format!("{}: version {version} of {date}, serial {}: {signer}", file.display(), database.serial()))
}

fn compile(sources: &[PathBuf], key: Option<&Path>, file: &Path, output: &mut Output) -> Result<(), Failure> {
    let key = key.map(SigningKey::read).transpose().map_err(|error| Failure::Input(error.to_string()))?;
    let compiled = match sources {
        [folder] if folder.is_dir() => sigdb::compile_folder(folder),
        files => sigdb::compile(&read(files)?),
    };
    let database = match compiled {
        Ok(database) => database,
        Err(faults) => {
            for fault in &faults {
                complain(&fault.to_string());
            }
            return Err(Failure::InputSaid);
        }
    };
    let octets = key.map_or_else(|| database.encode(), |key| key.sign(&database));
    write(file, &octets)
        .map_err(|error| Failure::Running(format!("{}: cannot be written: {error}", file.display())))?;
    let (version, date) = (database.version(), database.date());
    let applications: Vec<_> = database.applications().map(|(name, _)| name).collect();
    output.line(&format!("{}: version {version} of {date}: {}", file.display(), applications.join(", ")))
}

fn read(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::Input(format!("{}: cannot be read: {error}", file.display())))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sources.push(Source { name, text });
    }
    Ok(sources)
}

/// Writes it beside its place and moves it there, so that a reader sees the old one or the new one.
fn write(file: &Path, octets: &[u8]) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = std::fs::File::create(&beside).and_then(|mut new| {
        new.write_all(octets)?;
        new.sync_all()?;
        std::fs::rename(&beside, file)
    });
    if written.is_err() {
        // It is of no use; where even this fails, the error is told all the same.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Shows a database to people.
pub(super) fn put(row: &SigdbRow, output: &mut Output) -> Result<(), Failure> {
    output.line(&format!("file     {}", row.file))?;
    output.line(&format!("version  {}", row.version))?;
    output.line(&format!("date     {}", row.date))?;
    output.line(&format!("sha-256  {}", row.digest))?;
    output.line("")?;
    let mut table = Table::new(&["APPLICATION", "TITLE", "PROTOCOLS"]);
    for application in &row.applications {
        let protocols = application.protocols.join(" ");
        table.row(vec![Cell::text(&application.name), Cell::text(&application.title), Cell::text(protocols)]);
    }
    table.print("no applications", output)
}
