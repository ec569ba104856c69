//! `ostiary sigdb`: signature databases made and shown.

use std::io::Write;
use std::path::{Path, PathBuf};

use sigdb::{Database, Source};

use super::arguments::{SigdbCommand, SigdbOptions};
use super::output::{Failure, Output, complain};
use super::table::{Cell, Table};
use crate::manage::SigdbRow;
use crate::signatures;

pub(super) fn sigdb(options: &SigdbOptions, output: &mut Output) -> Result<(), Failure> {
    match &options.what {
        SigdbCommand::Compile { output: file, sources } => compile(sources, file, output),
        SigdbCommand::Show { file, json } => {
            let database = signatures::open(file.as_deref()).map_err(|error| Failure::Input(error.to_string()))?;
            let row = SigdbRow::new(&database, file.as_deref());
            if *json { output.json(&row) } else { put(&row, output) }
        }
    }
}

fn compile(sources: &[PathBuf], file: &Path, output: &mut Output) -> Result<(), Failure> {
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
    write(file, &database)
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
fn write(file: &Path, database: &Database) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = std::fs::File::create(&beside).and_then(|mut new| {
        new.write_all(&database.encode())?;
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
