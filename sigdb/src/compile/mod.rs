//! From signature files to a checked program, and a run of every sample.

mod field;
mod framing;
mod position;
mod protocol;
mod suit;
mod test;

use std::collections::HashSet;
use std::path::Path;

use crate::automaton::names::LISTS;
use crate::database::Database;
use crate::program::{Application, PATTERNS, Program};
use crate::sample::{self, SampleFlow, SampleReport};
use crate::sighting::AppId;
use crate::source::{DatabaseSource, FileSource, SampleSource};

/// A signature file as text, under the name that errors give.
#[derive(Clone, Debug)]
pub struct Source {
    /// File name.
    pub name: String,
    /// TOML.
    pub text: String,
}

/// What is wrong with a signature, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place}: {what}")]
pub struct CompileError {
    /// The file.
    pub file: String,
    /// The protocol, message or sample; a line where the file is no TOML.
    pub place: String,
    /// What is wrong and what was expected.
    pub what: String,
}

/// The name of the file that says what the database is called.
pub const DATABASE_FILE: &str = "database.toml";

/// Reads every `*.toml` of a folder, `database.toml` among them, and compiles them.
pub fn compile_folder(folder: &Path) -> Result<Database, Vec<CompileError>> {
    let fail = |what: String| vec![CompileError { file: folder.display().to_string(), place: "folder".into(), what }];
    let entries = std::fs::read_dir(folder).map_err(|error| fail(format!("cannot be read: {error}")))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| fail(format!("{name} cannot be read: {error}")))?;
        sources.push(Source { name, text });
    }
    compile(&sources)
}

/// Compiles signature files, `database.toml` among them, and runs their samples. All faults are reported.
pub fn compile(sources: &[Source]) -> Result<Database, Vec<CompileError>> {
    let (database, samples) = read(sources)?;
    let faults: Vec<_> = samples
        .iter()
        .flat_map(|of| of.samples.iter().filter_map(|one| sample::run(&database, &of.file, &of.application, one).err()))
        .collect();
    if faults.is_empty() { Ok(database) } else { Err(faults) }
}

/// Compiles signature files and tells of each sample of one of them whether it holds, and why or why not. The database is
/// returned whether they do or not; the application is that of the file.
///
/// # Errors
/// Whatever keeps the files from being compiled, a file of that name that is not among them included.
pub fn try_samples(sources: &[Source], file: &str) -> Result<(Database, AppId, Vec<SampleReport>), Vec<CompileError>> {
    let (database, samples) = read(sources)?;
    let Some(of) = samples.iter().find(|of| of.file == file) else {
        let what = "is not among the signature files".into();
        return Err(vec![CompileError { file: file.into(), place: "file".into(), what }]);
    };
    let reports = of.samples.iter().map(|one| sample::report(&database, &of.application, one)).collect();
    let application = database.by_name(&of.application).unwrap_or(AppId::UNKNOWN);
    Ok((database, application, reports))
}

/// The samples of signature files as flows, for whoever plays them another way than the compiler does.
///
/// # Errors
/// Whatever keeps the files from being compiled.
pub fn sample_flows(sources: &[Source]) -> Result<Vec<SampleFlow>, Vec<CompileError>> {
    let (_, samples) = read(sources)?;
    let flows = samples.iter().flat_map(|of| of.samples.iter().map(|one| sample::flow(&of.file, one)));
    flows.map(|flow| flow.map_err(|fault| vec![fault])).collect()
}

/// A file's samples.
struct Samples {
    file: String,
    application: String,
    samples: Vec<SampleSource>,
}

fn read(sources: &[Source]) -> Result<(Database, Vec<Samples>), Vec<CompileError>> {
    let mut compiler = Compiler::default();
    let mut samples = Vec::new();
    let mut titled = false;
    for source in sources {
        compiler.file.clone_from(&source.name);
        if source.name == DATABASE_FILE {
            if let Some(head) = compiler.parse::<DatabaseSource>(&source.text) {
                match serial_of_date(&head.date) {
                    Some(serial) => compiler.program.serial = head.serial.unwrap_or(serial),
                    None => compiler.fault("date", format!("{:?} is no date; write it YYYY-MM-DD", head.date)),
                }
                compiler.program.version = head.version;
                compiler.program.date = head.date;
            }
            titled = true;
        } else if let Some(file) = compiler.parse::<FileSource>(&source.text) {
            compiler.file(&file);
            let file_name = source.name.clone();
            samples.push(Samples { file: file_name, application: file.application.name, samples: file.sample });
        }
    }
    if !titled {
        compiler.file = DATABASE_FILE.into();
        compiler.fault("file", "is missing: it gives the database its version and date");
    }
    let lists = compiler.program.name_lists().map(|list| list.patterns.clone()).collect::<HashSet<_>>().len();
    if lists > LISTS {
        compiler.fault(
            "file",
            format!("and the files beside it have {lists} different lists of names; {LISTS} are possible"),
        );
    }
    let patterns = compiler.program.patterns().count();
    if patterns > PATTERNS {
        compiler
            .fault("file", format!("and the files beside it have {patterns} uses of 'regex'; {PATTERNS} are possible"));
    }
    if !compiler.faults.is_empty() {
        return Err(compiler.faults);
    }
    Ok((Database::of(compiler.program), samples))
}

/// `2026-11-21` as 2026112100: later dates are higher, and a day has room for a hundred releases that say their own.
fn serial_of_date(date: &str) -> Option<u64> {
    let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else { return None };
    let number = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|octet| octet.is_ascii_digit())).then(|| text.parse::<u64>().ok())?
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(((year * 100 + month) * 100 + day) * 100)
}

#[derive(Default)]
struct Compiler {
    file: String,
    program: Program,
    faults: Vec<CompileError>,
    /// Bits of evidence that are taken.
    evidence: u32,
}

type Checked<T> = Result<T, String>;

impl Compiler {
    fn fault(&mut self, place: &str, what: impl Into<String>) {
        self.faults.push(CompileError { file: self.file.clone(), place: place.into(), what: what.into() });
    }

    fn parse<T: serde::de::DeserializeOwned>(&mut self, text: &str) -> Option<T> {
        toml::from_str(text)
            .map_err(|error: toml::de::Error| {
                let at = error.span().map_or(0, |span| span.start.min(text.len()));
                let line = text[..at].matches('\n').count() + 1;
                self.fault(&format!("line {line}"), error.message().to_owned());
            })
            .ok()
    }

    fn file(&mut self, file: &FileSource) {
        let name = &file.application.name;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            self.fault("application", format!("the name {name:?} must be lower-case letters, digits and '-'"));
        }
        if name == "unknown" || name == "none" || self.program.applications.iter().any(|one| one.name == *name) {
            self.fault("application", format!("the name {name:?} is taken"));
        }
        if file.protocol.is_empty() {
            self.fault("application", "has no [[protocol]]");
        }
        let hits = file.sample.iter().filter(|sample| sample.application == *name).count();
        if hits == 0 || hits == file.sample.len() {
            self.fault(
                "sample",
                "a file needs samples that are this application and samples that are not (near misses)",
            );
        }
        let application = self.program.applications.len() as u16;
        self.program.applications.push(Application {
            name: name.clone(),
            title: file.application.title.clone(),
            base: file.application.base,
        });
        for protocol in &file.protocol {
            if let Err((place, what)) = self.protocol(application, protocol) {
                self.fault(&place, what);
            }
        }
    }
}

fn seconds(text: &str) -> Checked<u32> {
    let (number, unit) = text.trim().split_at(text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(0));
    let scale = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        _ => return Err(format!("{text:?} is no span of time such as \"180 s\", \"10 min\" or \"1 h\"")),
    };
    number
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_mul(scale))
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| format!("{text:?} is no span of time above zero"))
}

/// Octets from pairs of hexadecimal digits; white space between pairs is free.
pub(crate) fn hex(text: &str) -> Checked<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let pair = |pair: &[char]| match pair {
        [high, low] => Some((high.to_digit(16)? << 4 | low.to_digit(16)?) as u8),
        _ => None,
    };
    digits.chunks(2).map(pair).collect::<Option<Vec<_>>>().ok_or_else(|| format!("{text:?} is no string of hex octets"))
}
