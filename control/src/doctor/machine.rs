//! The machine as its file systems show it: this one, or the tree of one that was recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

/// A machine, by the folder that its `/proc`, `/sys`, `/dev`, `/etc`, `/lib` and `/usr` are in.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// The machine whose files are below `root`; `/` is this one.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Whether it is this one: only here can be asked what no file says.
    pub(super) fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a file of the machine is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text, without the white space around it; none where it cannot be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        Some(fs::read_to_string(self.path(path)).ok()?.trim().to_owned())
    }

    /// A file's octets.
    pub(super) fn octets(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.path(path)).ok()
    }

    /// A file that holds one number.
    pub(super) fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.read(path)?.parse().ok()
    }

    /// The last part of where a link points.
    pub(super) fn target(&self, path: &str) -> Option<String> {
        Some(fs::read_link(self.path(path)).ok()?.file_name()?.to_str()?.to_owned())
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Whether a file or folder is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// What a program prints; none where it is not installed, or fails. A recorded machine has it in
    /// `programs/NAME ARGUMENTS`.
    pub(super) fn program(&self, words: &[&str]) -> Option<String> {
        if !self.is_here() {
            return self.read(&format!("programs/{}", words.join(" ")));
        }
        let (program, arguments) = words.split_first()?;
        // Administrators' programs are not on everybody's PATH.
        let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].into_iter();
        let path = folders.map(|folder| Path::new(folder).join(program)).find(|path| path.exists())?;
        let output = Command::new(path).args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The value of a line `KEY: VALUE` of a file.
    pub(super) fn field(&self, path: &str, key: &str) -> Option<String> {
        let text = self.read(path)?;
        let value = |line: &str| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        };
        text.lines().find_map(value)
    }

    /// The running kernel's release.
    pub(super) fn kernel(&self) -> String {
        self.read("proc/sys/kernel/osrelease").unwrap_or_default()
    }

    /// Whether a module of the kernel is loaded, built in, or can be loaded.
    pub(super) fn has_module(&self, name: &str) -> bool {
        let underscored = name.replace('-', "_");
        if self.has(&format!("sys/module/{underscored}")) || self.has(&format!("sys/bus/pci/drivers/{name}")) {
            return true;
        }
        let folder = format!("lib/modules/{}", self.kernel());
        ["modules.dep", "modules.builtin"].iter().any(|list| {
            let text = self.read(&format!("{folder}/{list}")).unwrap_or_default();
            text.lines().any(|line| {
                let path = line.split(':').next().unwrap_or(line);
                let file = path.rsplit('/').next().unwrap_or(path);
                file.split(".ko").next().is_some_and(|stem| stem.replace('-', "_") == underscored)
            })
        })
    }
}
