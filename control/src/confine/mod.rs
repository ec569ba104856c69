//! What the process gives away once it has what it needs: files it has no business with, and capabilities.
//!
//! Linux knows both by thread. The control loop and every thread that it starts, which read what strangers send, hold no
//! capability and reach only files that the configuration names ([`Reach`]). Workers reach none at all. Two threads that read
//! nothing from outside keep the little that is still needed, and do it when asked: [`outside`] and [`lookup`].

mod fence;
mod hands;
mod named;
mod reach;
mod rights;

use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};

use rustix::fs::Access;

use self::fence::Fence;
use self::hands::Hands;
pub use self::reach::Reach;
use crate::config::Compiled;

/// The confinement of this process, once it has begun.
static CONFINED: OnceLock<Confined> = OnceLock::new();

#[derive(Debug)]
struct Confined {
    hands: Hands,
    /// Where the control side may go, where the kernel holds it to that.
    reach: Option<Reach>,
}

/// Begins it: from here on there are the two threads that keep what others give away. Does nothing where the configuration
/// says that nothing is to be given away.
///
/// # Errors
/// Where the system has no thread for it.
pub fn begin(compiled: &Compiled, file: &Path, text: &str) -> io::Result<()> {
    if !compiled.confine {
        eprintln!("ostiary: not confined: [system] confine is false");
        return Ok(());
    }
    let reach = Reach::of(compiled, file, text);
    let hands = Hands::start(compiled, &reach)?;
    let reach = fence::abi().is_some().then_some(reach);
    // A second begin does not happen: a process runs one firewall.
    let _ = CONFINED.set(Confined { hands, reach });
    Ok(())
}

/// Confines the calling thread, and those that it starts from now on: they open nothing but what the configuration names, and
/// hold no capability but the one that gives the trail's files to their group, until [`finish`].
///
/// # Errors
/// Where the kernel refuses what it has.
pub fn enter(compiled: &Compiled) -> io::Result<()> {
    let Some(confined) = CONFINED.get() else { return Ok(()) };
    rights::give_away(rights::of_trail(compiled))?;
    // Root could write to them until now, whoever they belong to.
    for folder in compiled.state.iter().map(|state| state.path()).chain([compiled.audit.folder.as_path()]) {
        rustix::fs::access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
            let said = format!("{}: {error}: it has to belong to the user that this runs as", folder.display());
            io::Error::new(io::Error::from(error).kind(), said)
        })?;
    }
    let fence = match &confined.reach {
        Some(reach) => fence::control(reach)?,
        None => Fence::Absent,
    };
    eprintln!("ostiary: confined: {fence}");
    if let Some(folder) = confined.reach.as_ref().and_then(|reach| reach.too_wide.as_ref()) {
        eprintln!(
            "ostiary: warning: the policy file lies in {}, which can be written to for that: give it a folder of its own",
            folder.display()
        );
    }
    Ok(())
}

/// The calling thread gives its last capability away.
///
/// # Errors
/// Where the kernel refuses.
pub fn finish() -> io::Result<()> {
    if CONFINED.get().is_some() { rights::give_away(rights::none()) } else { Ok(()) }
}

/// Confines a thread that has all that it will ever need: no file, no network address, no capability.
///
/// # Errors
/// Where the kernel refuses what it has.
pub fn nothing_left() -> io::Result<()> {
    if CONFINED.get().is_none() {
        return Ok(());
    }
    alone()
}

/// The same of a process that runs no firewall.
///
/// # Errors
/// Where the kernel refuses what it has.
pub fn alone() -> io::Result<()> {
    rights::give_away(rights::none())?;
    fence::nothing()
}

/// Does something where no file is out of reach: ports open and close, programs start, other processes are looked at.
pub fn outside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match CONFINED.get() {
        Some(confined) => confined.hands.outside.call(work),
        None => work(),
    }
}

/// The ports are open: what only that needed is given away.
///
/// # Errors
/// Where the kernel refuses.
pub fn ports_are_open(compiled: &Compiled) -> io::Result<()> {
    if CONFINED.get().is_none() {
        return Ok(());
    }
    let rights = rights::of_outside(compiled);
    outside(move || rights::give_away_for_itself(rights))
}

/// Does something where the files of the system's accounts, names and libraries can be read, and nothing written.
pub fn lookup<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match CONFINED.get() {
        Some(confined) => confined.hands.lookup.call(work),
        None => work(),
    }
}

/// A thread there.
///
/// # Errors
/// Where the system has none.
pub fn lookup_thread(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    lookup(move || thread::Builder::new().name(name).spawn(work))
}

/// The list of this machine's users, or of its groups: one that is replaced is another file, which is out of reach here.
///
/// # Errors
/// Where it cannot be read.
pub fn account_list(file: &'static str) -> io::Result<String> {
    lookup(move || std::fs::read_to_string(file))
}

/// Files that a configuration names and the running process may not open: their keys and paths.
pub fn out_of_reach(text: &str) -> Vec<(String, std::path::PathBuf)> {
    let Some(reach) = CONFINED.get().and_then(|confined| confined.reach.as_ref()) else { return Vec::new() };
    named::files(text).into_iter().filter(|(_, path)| !reach.reads(path)).collect()
}
