//! Archives on their way to a site: OpenSSH's `sftp` carries them, in a batch that asks nobody anything.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::confine;
use crate::runtime::SERVICE_VARIABLES;

/// How sites are reached: `[audit.sftp]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sftp {
    /// The private key; none: what the user's own configuration of SSH says.
    pub identity: Option<PathBuf>,
    /// The keys of the sites; none: the user's own file.
    pub known_hosts: Option<PathBuf>,
    /// The program.
    pub program: PathBuf,
}

impl Default for Sftp {
    fn default() -> Self {
        Self { identity: None, known_hosts: None, program: "sftp".into() }
    }
}

/// A place for archives: `sftp://user@host:port/folder`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The account.
    pub user: String,
    /// Name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The folder, from the root; empty: where the account begins.
    pub folder: String,
}

/// An archive that is not there within this time is given up until the next attempt.
const LONGEST: Duration = Duration::from_secs(1800);
/// How often it is looked whether the program has ended, or we are to.
const LOOK: Duration = Duration::from_millis(50);

impl Site {
    /// Reads `sftp://user@host[:port][/folder]`; none where it is no such thing, or could be taken for an option.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, folder) = text.strip_prefix("sftp://").map(|rest| rest.split_once('/').unwrap_or((rest, "")))?;
        let (user, place) = place.rsplit_once('@')?;
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, if port.is_empty() { "22" } else { port.strip_prefix(':')? })
            }
            None => place.split_once(':').unwrap_or((place, "22")),
        };
        let plain = |text: &str, others: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
        };
        let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
        let holds = plain(user, "._-") && plain(host, "._-:") && !folder.chars().any(char::is_control);
        let folder = if folder.is_empty() { String::new() } else { format!("/{}", folder.trim_end_matches('/')) };
        holds.then(|| Self { user: user.to_owned(), host: host.to_owned(), port, folder })
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, folder } = self;
        match host.contains(':') {
            true => write!(f, "sftp://{user}@[{host}]:{port}{folder}"),
            false => write!(f, "sftp://{user}@{host}:{port}{folder}"),
        }
    }
}

impl Sftp {
    /// Sends a file under its name; half of one is never seen under it.
    ///
    /// # Errors
    /// Why the program could not be run, or what it said.
    pub fn put(&self, file: &Path, site: &Site, stop: &AtomicBool) -> io::Result<()> {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let target = if site.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", site.folder) };
        let (from, part, target) =
            (quoted(&file.to_string_lossy()), quoted(&format!("{target}.part")), quoted(&target));
        let batch = format!("put {from} {part}\nrename {part} {target}\n");
        let mut command = Command::new(&self.program);
        // It is not the service, and tells the service manager nothing.
        for name in SERVICE_VARIABLES {
            command.env_remove(name);
        }
        command.args(["-b", "-", "-P", &site.port.to_string()]);
        for option in [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=yes",
            "ConnectTimeout=15",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=3",
        ] {
            command.args(["-o", option]);
        }
        if let Some(identity) = &self.identity {
            command.arg("-i").arg(identity);
        }
        if let Some(known_hosts) = &self.known_hosts {
            command.args(["-o", &format!("UserKnownHostsFile=\"{}\"", known_hosts.display())]);
        }
        let host = if site.host.contains(':') { format!("[{}]", site.host) } else { site.host.clone() };
        command.arg(format!("{}@{host}", site.user));
        run(command, &batch, stop)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.program.display())))
    }
}

/// As the batches of `sftp` take a name that may hold anything.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Runs a program to its end, or ours.
fn run(mut command: Command, input: &str, stop: &AtomicBool) -> io::Result<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = confine::outside(move || command.spawn())?;
    // A batch is shorter than a pipe: this does not wait. Where nobody reads it, the program says why.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    let stderr = child.stderr.take();
    let said = std::thread::Builder::new().name("sftp".to_owned()).spawn(move || {
        let mut said = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(1 << 16).read_to_end(&mut said);
        }
        said
    })?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let stops = stop.load(Ordering::Acquire);
        if stops || start.elapsed() > LONGEST {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                if stops { "the firewall stops" } else { "took too long" },
            ));
        }
        std::thread::sleep(LOOK);
    };
    if status.success() {
        return Ok(());
    }
    let said = said.join().unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().rev().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("sftp>"));
    Err(io::Error::other(format!("{} ({status})", line.unwrap_or("ended without a word"))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn sites_are_read_and_what_is_none_is_not() {
        let site = Site::parse("sftp://log@10.0.0.5:2222/var/in box/").unwrap();
        assert_eq!((site.port, site.folder.as_str()), (2222, "/var/in box"));
        for text in ["sftp://log@10.0.0.5:22/in", "sftp://a@[2001:db8::1]:830/x", "sftp://a@host:22"] {
            assert_eq!(Site::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "log@host:/in",
            "ftp://a@h/x",
            "sftp://host/x",
            "sftp://-oProxyCommand=x@host/x",
            "sftp://a@-h/x",
            "sftp://a@h:0/x",
            "sftp://a@h:99999/x",
            "sftp://a@h/x\ny",
            "sftp://a@h;x/y",
            "sftp://@h/x",
            "sftp://a@/x",
        ] {
            assert_eq!(Site::parse(text), None, "{text}");
        }
    }

    /// The program as it is called: its arguments and its batch are written down by one that takes its place.
    #[test]
    fn the_program_is_given_a_batch_and_asked_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (program, said) = (folder.path().join("sftp"), folder.path().join("said"));
        let script = format!(
            "#!/bin/sh\n(echo \"$@\"; cat) > {}\n[ ! -e {}/fail ] || {{ echo 'no way in' >&2; exit 255; }}\n",
            said.display(),
            folder.path().display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let sftp = Sftp { identity: Some("/k".into()), known_hosts: Some("/h".into()), program };
        let site = Site::parse("sftp://log@site:24/in").unwrap();
        let stop = AtomicBool::new(false);
        sftp.put(Path::new("/a/audit.000001.jsonl.gz"), &site, &stop).unwrap();
        let text = std::fs::read_to_string(&said).unwrap();
        assert!(text.contains("-b - -P 24") && text.contains("StrictHostKeyChecking=yes"), "{text}");
        assert!(text.ends_with("log@site\nput \"/a/audit.000001.jsonl.gz\" \"/in/audit.000001.jsonl.gz.part\"\nrename \"/in/audit.000001.jsonl.gz.part\" \"/in/audit.000001.jsonl.gz\"\n"), "{text}");
        std::fs::write(folder.path().join("fail"), "").unwrap();
        let error = sftp.put(Path::new("/a/x"), &site, &stop).unwrap_err().to_string();
        assert!(error.contains("no way in") && error.contains("255"), "{error}");
    }
}
