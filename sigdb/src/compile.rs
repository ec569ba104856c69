//! From signature files to a checked program, and a run of every sample.

use std::path::Path;

use crate::database::Database;
use crate::program::{
    Anchor, Application, Base, Clue, Field, Form, Framing, MESSAGES, Message, Place, Position, Program, Protocol,
    Ranges, Test, Transport, WINDOW,
};
use crate::sample;
use crate::source::{
    AnchorSource, ClueSource, DatabaseSource, FieldSource, FileSource, FramingSource, MessageSource, NumberSource,
    PositionSource, ProtocolSource, TestSource,
};

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
            samples.push((source.name.clone(), file.sample));
        }
    }
    if !titled {
        compiler.file = DATABASE_FILE.into();
        compiler.fault("file", "is missing: it gives the database its version and date");
    }
    if !compiler.faults.is_empty() {
        return Err(compiler.faults);
    }
    let database = Database::of(compiler.program);
    let faults: Vec<_> = samples
        .iter()
        .flat_map(|(file, samples)| samples.iter().filter_map(|one| sample::run(&database, file, one).err()))
        .collect();
    if faults.is_empty() { Ok(database) } else { Err(faults) }
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
}

/// Names in scope of a protocol.
struct Scope<'a> {
    anchors: &'a [Anchor],
    names: &'a [String],
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
        self.program.applications.push(Application { name: name.clone(), title: file.application.title.clone() });
        for protocol in &file.protocol {
            if let Err((place, what)) = self.protocol(application, protocol) {
                self.fault(&place, what);
            }
        }
    }

    fn protocol(&mut self, application: u16, source: &ProtocolSource) -> Result<(), (String, String)> {
        let place = |part: &str| format!("protocol {}{}{part}", source.name, if part.is_empty() { "" } else { ": " });
        let seconds = |text: &Option<String>, default| match text {
            Some(text) => seconds(text).map_err(|what| (place(""), what)),
            None => Ok(default),
        };
        let (limit, grace) = (seconds(&source.limit, 600)?, seconds(&source.grace, 30)?);
        let anchors = anchors(&source.anchor).map_err(|what| (place("anchor"), what))?;
        let names: Vec<_> = source.message.iter().map(|message| message.name.clone()).collect();
        if names.len() > MESSAGES {
            return Err((place(""), format!("has {} messages; {MESSAGES} is the most", names.len())));
        }
        let scope = Scope { anchors: &anchors, names: &names };
        let mut messages = Vec::new();
        for message in &source.message {
            let compiled =
                scope.message(message).map_err(|what| (place(&format!("message {}", message.name)), what))?;
            messages.push(compiled);
        }
        if source.carrier.is_empty() {
            return Err((place(""), "has no carrier".into()));
        }
        for carrier in &source.carrier {
            let over = carrier.transport;
            let framing = framing(&carrier.framing, over).map_err(|what| (place("carrier"), what))?;
            let clues = source
                .identify
                .iter()
                .filter(|clue| clue.over.is_none_or(|only| only == over))
                .map(|clue| scope.clue(clue))
                .collect::<Checked<Vec<_>>>()
                .map_err(|what| (place("identify"), what))?;
            if clues.is_empty() {
                return Err((place("identify"), format!("nothing identifies it over {over:?}")));
            }
            let suffix = if over == Transport::Tcp { "tcp" } else { "udp" };
            self.program.protocols.push(Protocol {
                application,
                name: format!("{}/{suffix}", source.name),
                transport: over,
                server_ports: carrier.server_ports.clone(),
                framing,
                session: carrier.session,
                limit,
                grace,
                anchors: anchors.clone(),
                clues,
                messages: messages.clone(),
            });
        }
        Ok(())
    }
}

impl Scope<'_> {
    fn clue(&self, source: &ClueSource) -> Checked<Clue> {
        let tests = self.tests(&source.when)?;
        // A port is a hint: alone it would name whatever runs there.
        if tests.iter().all(|test| matches!(test, Test::Port(_) | Test::Size(_))) {
            return Err("a port or a length alone identifies nothing".into());
        }
        Ok(Clue { from: source.from, confidence: source.confidence, tests })
    }

    fn message(&self, source: &MessageSource) -> Checked<Message> {
        let mut answers = 0;
        for name in &source.answers {
            let known = self.names.iter().position(|one| one == name);
            answers |= 1 << known.ok_or_else(|| format!("answers {name:?}, which is no message of this protocol"))?;
        }
        if source.account_of_flow && source.account.is_some() {
            return Err("has an account of its own and that of its flow; one of them".into());
        }
        Ok(Message {
            name: source.name.clone(),
            from: source.from,
            tests: self.tests(&source.when)?,
            answers,
            account: source.account.as_ref().map(|field| self.field(field)).transpose()?,
            account_of_flow: source.account_of_flow,
            account_optional: source.account.as_ref().is_some_and(|field| field.optional),
            means: source.means,
            from_start: source.from_start,
        })
    }

    fn tests(&self, sources: &[TestSource]) -> Checked<Vec<Test>> {
        sources.iter().map(|source| self.test(source)).collect()
    }

    fn test(&self, source: &TestSource) -> Checked<Test> {
        let mut found = Vec::new();
        let at = || match &source.at {
            Some(at) => self.position(at),
            None => Err(format!("needs 'at': {source:?}")),
        };
        if let Some(text) = source.octets.as_deref() {
            let octets = hex(text)?;
            let mask = source.mask.as_deref().map_or_else(|| Ok(vec![0xff; octets.len()]), hex)?;
            if octets.is_empty() || octets.len() != mask.len() {
                return Err(format!("octets {text:?} and their mask must be of one length, at least 1"));
            }
            found.push(Test::Octets(at()?, octets, mask));
        }
        if let Some(text) = &source.text {
            found.push(Test::Octets(at()?, text.clone().into_bytes(), vec![0xff; text.len()]));
        }
        for (size, number) in [(1, &source.u8), (2, &source.u16), (4, &source.u32)] {
            let Some(number) = number else { continue };
            let little = source.little.unwrap_or(false);
            found.push(match number {
                NumberSource::Word(word) if word == "length" => {
                    Test::Length { at: at()?, size, little, add: source.add.unwrap_or(0) }
                }
                other => {
                    let ranges = ranges(other)?;
                    if ranges.iter().any(|(first, _)| first >> (8 * u32::from(size)) != 0) {
                        return Err(format!("a number in {size} octets is never {other:?}"));
                    }
                    Test::Number { at: at()?, size, little, ranges }
                }
            });
        }
        if let Some(number) = &source.varint {
            found.push(Test::Varint(at()?, ranges(number)?));
        }
        if let Some(field) = &source.field {
            found.push(Test::Field(self.field(field)?));
        }
        if let Some(literal) = &source.contains {
            let within = source.within.unwrap_or(WINDOW as u16);
            if literal.is_empty() || usize::from(within) > WINDOW {
                return Err(format!("'contains' needs text, 'within' at most {WINDOW}"));
            }
            found.push(Test::Contains(literal.clone().into_bytes(), within));
        }
        if let Some(number) = &source.length {
            found.push(Test::Size(ranges(number)?));
        }
        if let Some(number) = &source.server_port {
            let ports = ranges(number)?.into_iter().flat_map(|(first, last)| first..=last.min(65_535));
            found.push(Test::Port(ports.map(|port| port as u16).collect()));
        }
        if let Some(texts) = &source.method {
            found.push(Test::Method(texts.list()));
        }
        if let Some(texts) = &source.path {
            found.push(Test::Path(texts.list()));
        }
        if let Some(texts) = &source.host {
            found.push(Test::Host(texts.list()));
        }
        if let Some(name) = &source.header {
            found.push(Test::Header(name.to_ascii_lowercase(), source.has.clone().unwrap_or_default()));
        }
        if let Some(number) = &source.content_length {
            found.push(Test::ContentLength(ranges(number)?));
        }
        if let Some(number) = &source.status {
            found.push(Test::Status(ranges(number)?));
        }
        if let Some(texts) = &source.server_name {
            found.push(Test::ServerName(texts.list()));
        }
        let placed = matches!(
            found.first(),
            Some(Test::Octets(..) | Test::Number { .. } | Test::Length { .. } | Test::Varint(..))
        );
        let numeric = matches!(found.first(), Some(Test::Number { .. } | Test::Length { .. }));
        let stray = (source.at.is_some() && !placed)
            || (source.little.is_some() && !numeric)
            || source.field.as_ref().is_some_and(|field| field.optional)
            || (source.mask.is_some() && source.octets.is_none())
            || (source.has.is_some() && source.header.is_none())
            || (source.within.is_some() && source.contains.is_none())
            || (source.add.is_some() && !matches!(found.first(), Some(Test::Length { .. })));
        match (found.len(), stray) {
            (1, false) => Ok(found.remove(0)),
            (1, true) => Err(format!("a key that goes with another stands alone in {source:?}")),
            (count, _) => Err(format!("a test says one thing, this one {count}: {source:?}")),
        }
    }

    fn field(&self, source: &FieldSource) -> Checked<Field> {
        let place = match (&source.at, &source.after, &source.query) {
            (Some(at), None, None) => Place::At(self.position(at)?),
            (None, Some(text), None) if !text.is_empty() => Place::After(text.clone().into_bytes()),
            (None, None, Some(name)) => Place::Query(name.clone()),
            _ => return Err("a field has one of 'at', 'after' and 'query'".into()),
        };
        let prefixed = matches!(source.form, Form::Digits | Form::Ascii);
        if !matches!(source.prefix, 0 | 1 | 2 | 4) || (source.prefix > 0 && !prefixed) {
            return Err("'prefix' is 1, 2 or 4, and goes with digits and ascii".into());
        }
        if source.inclusive && source.prefix == 0 {
            return Err("'inclusive' goes with 'prefix'".into());
        }
        if source.form == Form::Ascii && (source.least.is_some() || source.most.is_some()) {
            return Err("'least' and 'most' go with numbers".into());
        }
        if source.query.is_some() && (source.prefix > 0 || !prefixed) {
            return Err("a query's value is digits or ascii, without a length in front".into());
        }
        Ok(Field {
            place,
            prefix: source.prefix,
            inclusive: source.inclusive,
            form: source.form,
            range: (source.least.unwrap_or(0), source.most.unwrap_or(u64::MAX)),
        })
    }

    fn position(&self, source: &PositionSource) -> Checked<Position> {
        position(source, self.anchors)
    }
}

fn anchors(sources: &std::collections::BTreeMap<String, AnchorSource>) -> Checked<Vec<Anchor>> {
    let mut anchors = Vec::new();
    for (name, source) in sources {
        if ["start", "end", "body"].contains(&name.as_str()) || !matches!(source.prefix, 1 | 2 | 4) {
            return Err(format!("{name}: the name must be one's own, and 'prefix' 1, 2 or 4"));
        }
        // An anchor stands on fixed ground or on one before it in the alphabet: no circle can arise.
        let at = position(&source.at, &anchors)?;
        anchors.push(Anchor { name: name.clone(), at, prefix: source.prefix, inclusive: source.inclusive });
    }
    Ok(anchors)
}

fn position(source: &PositionSource, anchors: &[Anchor]) -> Checked<Position> {
    let text = match source {
        PositionSource::Offset(offset) => return Ok(Position { base: Base::Start, offset: i32::from(*offset) }),
        PositionSource::Named(text) => text,
    };
    let (name, offset) = match text.find(['+', '-']) {
        Some(sign) => {
            let digits: String = text[sign..].chars().filter(|c| !c.is_whitespace()).collect();
            (text[..sign].trim(), digits.parse().map_err(|_| format!("{text:?}: no offset behind the sign"))?)
        }
        None => (text.trim(), 0),
    };
    let base = match name {
        "start" => Base::Start,
        "end" => Base::End,
        "body" => Base::Body,
        _ => {
            let known = anchors.iter().position(|anchor| anchor.name == name);
            Base::Anchor(known.ok_or_else(|| format!("{name:?} is neither start, end, body nor an anchor"))? as u8)
        }
    };
    Ok(Position { base, offset })
}

fn framing(source: &FramingSource, over: Transport) -> Checked<Framing> {
    let framing = match source {
        FramingSource::Datagram {} => Framing::Datagram,
        FramingSource::Stream {} => Framing::Stream,
        FramingSource::Http {} => Framing::Http,
        FramingSource::Tls {} => Framing::Tls,
        FramingSource::Length { at, size, little, add, strip, least, most } => {
            let header = u32::from(*at) + u32::from(*size);
            if !matches!(size, 1 | 2 | 4) || header > WINDOW as u32 || *least < header.max(1) || least > most {
                return Err("framing: size is 1, 2 or 4, and 'least' holds at least the length itself".into());
            }
            if u32::from(*strip) > *least {
                return Err("framing: 'strip' is more than the shortest message".into());
            }
            Framing::Length { at: *at, size: *size, little: *little, add: *add, strip: *strip, range: (*least, *most) }
        }
    };
    if (framing == Framing::Datagram) != (over == Transport::Udp) {
        return Err("framing: 'datagram' goes with udp, all others with tcp".into());
    }
    Ok(framing)
}

fn ranges(source: &NumberSource) -> Checked<Ranges> {
    match source {
        NumberSource::One(number) => Ok(vec![(*number, *number)]),
        NumberSource::Several(numbers) if !numbers.is_empty() => Ok(numbers.iter().map(|n| (*n, *n)).collect()),
        NumberSource::Range { from, to } if from <= to || to.is_none() => {
            Ok(vec![(from.unwrap_or(0), to.unwrap_or(u64::MAX))])
        }
        other => Err(format!("{other:?} is neither a number, a list of numbers nor a range {{ from, to }}")),
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
