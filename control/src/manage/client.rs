//! The client's side of the management socket: one request, and its answer line by line.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::protocol::Answer;

/// How long the running process may take for the next line.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer, or no more of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "{0}: no ostiary is running, or it listens at another socket; start one with 'ostiary run', or name it with --socket"
    )]
    NotRunning(PathBuf),
    /// The socket is not for us.
    #[error("{0}: permission denied; become root, or a member of the socket's group")]
    Denied(PathBuf),
    /// The connection failed.
    #[error("{path}: {error}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The answer ended before its end.
    #[error("{0}: the answer was cut short: ostiary stopped, or this program read too slowly")]
    Cut(PathBuf),
    /// The running process says no.
    #[error("ostiary says: {0}")]
    Refused(String),
    /// The answer is of another version.
    #[error("{path}: an answer that this version does not understand ({error}); use the ostiary that is running")]
    Unknown {
        /// The socket.
        path: PathBuf,
        /// What is odd about it.
        error: serde_json::Error,
    },
}

/// The rows of an answer; its end is known once there are no more.
#[derive(Debug)]
pub struct Answers {
    path: PathBuf,
    lines: BufReader<UnixStream>,
    end: Option<(usize, bool)>,
}

/// Asks the process that listens at `path`: a [`Request`](super::protocol::Request) or an
/// [`Action`](super::protocol::Action).
///
/// # Errors
/// Where nobody listens there, or it is not for us.
pub fn request(path: &Path, request: &impl Serialize) -> Result<Answers, ClientError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning(path.to_owned()),
        ErrorKind::PermissionDenied => ClientError::Denied(path.to_owned()),
        _ => ClientError::Io { path: path.to_owned(), error },
    };
    let mut stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut line = serde_json::to_vec(request).unwrap_or_default();
    line.push(b'\n');
    match stream.write_all(&line) {
        // Too many clients: the answer says so.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        other => other.map_err(failed)?,
    }
    Ok(Answers { path: path.to_owned(), lines: BufReader::new(stream), end: None })
}

impl Answers {
    /// The next row; none at the end.
    ///
    /// # Errors
    /// Where the connection fails, or the running process refuses the request.
    pub fn next_row(&mut self) -> Result<Option<Answer>, ClientError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let mut line = String::new();
        let count = self.lines.read_line(&mut line).map_err(|error| self.failed(error))?;
        if count == 0 || !line.ends_with('\n') {
            return Err(ClientError::Cut(self.path.clone()));
        }
        match serde_json::from_str(&line) {
            Ok(Answer::End { rows, more }) => {
                self.end = Some((rows, more));
                Ok(None)
            }
            Ok(Answer::Error(text)) => Err(ClientError::Refused(text)),
            Ok(row) => Ok(Some(row)),
            Err(error) => Err(ClientError::Unknown { path: self.path.clone(), error }),
        }
    }

    /// Whether there are more rows than were asked for; known at the end.
    pub fn more(&self) -> bool {
        self.end.is_some_and(|(_, more)| more)
    }

    fn failed(&self, error: std::io::Error) -> ClientError {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                ClientError::Cut(self.path.clone())
            }
            _ => ClientError::Io { path: self.path.clone(), error },
        }
    }
}
