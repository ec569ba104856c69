//! The running firewall, as a session asks it: a line of JSON each way.

use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use crossbeam::channel::{Receiver, bounded};
use serde_json::{Value, json};

/// Lines that wait for the session.
const QUEUE: usize = 64;

/// Octets of a line at most: a configuration comes in rows far smaller.
const LINE_LIMIT: usize = 4 << 20;

/// A connection to the management socket.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    stream: Mutex<UnixStream>,
    /// Answers; nothing more comes once the firewall has closed the connection.
    lines: Receiver<Value>,
}

/// Why the firewall did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It says no.
    Said {
        /// Why, for people.
        text: String,
        /// What RFC 6241 calls it, or a word of our own.
        tag: Option<String>,
        /// Where in the configuration.
        path: Option<String>,
        /// Which session stands in the way.
        session: Option<u64>,
        /// What is wrong with a configuration, one by one.
        faults: Vec<Fault>,
    },
    /// It closed the connection: it stopped, or ended the session.
    Gone,
}

/// Something that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What, for people.
    pub text: String,
    /// Where in the configuration.
    pub path: Option<String>,
    /// A word of our own for it.
    pub tag: Option<String>,
}

impl Control {
    /// Connects to the firewall that listens at `path`.
    ///
    /// # Errors
    /// Where nobody listens, or it is not for us.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let (sender, lines) = bounded(QUEUE);
        thread::Builder::new().name("control".to_owned()).spawn(move || {
            let mut line = Vec::new();
            while let Ok(true) = read_line(&mut reader, &mut line) {
                // What is no JSON is of another program: nothing it says can be relied on.
                let Ok(value) = serde_json::from_slice(&line) else { break };
                if sender.send(value).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { path: path.to_owned(), stream: Mutex::new(stream), lines })
    }

    /// A further connection to the same firewall.
    pub fn again(&self) -> io::Result<Self> {
        Self::connect(&self.path)
    }

    /// What comes without having been asked for; closed with the connection.
    pub fn lines(&self) -> &Receiver<Value> {
        &self.lines
    }

    /// Sends a request whose answer is read from [`Self::lines`].
    pub fn send(&self, request: &Value) -> Result<(), Refusal> {
        let mut line = request.to_string();
        line.push('\n');
        let mut stream = self.stream.lock().map_err(|_| Refusal::Gone)?;
        stream.write_all(line.as_bytes()).map_err(|_| Refusal::Gone)
    }

    /// Asks, and waits for the whole answer: its rows.
    pub fn ask(&self, request: &Value) -> Result<Vec<Value>, Refusal> {
        self.send(request)?;
        let mut rows = Vec::new();
        let mut faults = Vec::new();
        loop {
            let line = self.lines.recv().map_err(|_| Refusal::Gone)?;
            if line.get("end").is_some() {
                return Ok(rows);
            }
            if let Some(refusal) = Refusal::read(&line, &mut faults) {
                return Err(refusal);
            }
            match line.get("fault") {
                Some(fault) => faults.push(Fault::read(fault)),
                None => rows.push(line),
            }
        }
    }

    /// The rows of `{"show":what}`, each without its name.
    pub fn show(&self, what: &str) -> Result<Vec<Value>, Refusal> {
        let rows = self.ask(&json!({ "show": what }))?;
        Ok(rows.into_iter().filter_map(unnamed).collect())
    }
}

impl Drop for Control {
    /// Ends the connection, though the thread that reads it holds it too.
    fn drop(&mut self) {
        if let Ok(stream) = self.stream.lock() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Refusal {
    /// The refusal that a line is, if it is one.
    pub fn read(line: &Value, faults: &mut Vec<Fault>) -> Option<Self> {
        let error = line.get("error")?;
        // Its particulars stand beside the text, or with it.
        let within = if error.is_object() { error } else { line };
        let text = |key: &str| within.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self::Said {
            text: error.as_str().map(str::to_owned).or_else(|| text("text")).unwrap_or_else(|| error.to_string()),
            tag: text("tag"),
            path: text("path").filter(|path| !path.is_empty()),
            session: within.get("session").and_then(Value::as_u64),
            faults: std::mem::take(faults),
        })
    }
}

impl Fault {
    fn read(fault: &Value) -> Self {
        let text = |key: &str| fault.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            text: fault.as_str().map(str::to_owned).or_else(|| text("text")).unwrap_or_else(|| fault.to_string()),
            path: text("path").filter(|path| !path.is_empty()),
            tag: text("tag"),
        }
    }
}

/// What a row holds: `{"port":{…}}`.
fn unnamed(row: Value) -> Option<Value> {
    match row {
        Value::Object(map) => map.into_iter().next().map(|(_, value)| value),
        _ => None,
    }
}

/// Reads a line of limited length; false at the end.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if buffer.is_empty() {
            return Ok(false);
        }
        let end = buffer.iter().position(|octet| *octet == b'\n');
        let take = end.map_or(buffer.len(), |at| at + 1);
        line.extend_from_slice(&buffer[..take]);
        reader.consume(take);
        if end.is_some() {
            return Ok(true);
        }
        if line.len() > LINE_LIMIT {
            return Ok(false);
        }
    }
}
