//! Policy files for the running firewall, from few parts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::certificates::Certificates;

/// A policy file in the making: two ports on one wire, rules and log hosts as the test adds them.
#[derive(Clone, Debug)]
pub struct Policy {
    /// DPDK device of the clients' side.
    pub inside: String,
    /// DPDK device of the servers' side.
    pub outside: String,
    /// Whether sign-ons are recorded: `[log.im] enable`.
    pub im: bool,
    /// Whether every flow is identified, whatever the rules need.
    pub full: bool,
    /// Whether workers ask again at once while nothing comes, as they do unless told otherwise. Here they sleep, and leave the
    /// CPU to the tests beside.
    pub polls: bool,
    /// How the ports are joined; at first by a wire.
    pub topology: String,
    /// Further lines of `[system]`.
    pub system: String,
    /// Further lines of `[audit]`.
    pub audit: String,
    /// Further lines of `[log.im]`.
    pub log_im: String,
    /// Further lines of `[management]`.
    pub management: String,
    /// Further lines of `[dataplane]`.
    pub dataplane: String,
    /// `[[rule]]` tables.
    pub rules: String,
    /// Further tables.
    pub rest: String,
}

impl Policy {
    /// Two devices, nothing permitted, sign-ons recorded, identification on demand.
    pub fn new(inside: impl Into<String>, outside: impl Into<String>) -> Self {
        let (inside, outside) = (inside.into(), outside.into());
        Self {
            inside,
            outside,
            im: true,
            full: false,
            polls: false,
            topology: "[[wire]]\nports = [\"inside\", \"outside\"]\n".to_owned(),
            system: String::new(),
            audit: String::new(),
            log_im: String::new(),
            management: String::new(),
            dataplane: String::new(),
            rules: String::new(),
            rest: String::new(),
        }
    }

    /// Adds a rule; `keys` are lines of TOML beside its name.
    pub fn rule(mut self, name: &str, keys: &str) -> Self {
        writeln!(self.rules, "[[rule]]\nname = \"{name}\"\n{keys}").expect("a string takes text");
        self
    }

    /// Adds a log host on loopback; `keys` are lines of TOML beside name, address and port.
    pub fn host(mut self, name: &str, port: u16, keys: &str) -> Self {
        let head = format!("[[log-host]]\nname = \"{name}\"\naddress = \"127.0.0.1\"\nport = {port}");
        writeln!(self.rest, "{head}\nretry-first = \"50 ms\"\nretry-longest = \"200 ms\"\n{keys}")
            .expect("a string takes text");
        self
    }

    /// Adds the TLS policy `collector`, with our client certificate.
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        let file = |name| certificates.file(name);
        writeln!(
            self.rest,
            "[ssl-policy.collector]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\nserver-name = \"collector.test\"",
            file("ca.pem"),
            file("client.pem"),
            file("client.key"),
        )
        .expect("a string takes text");
        self
    }

    /// The text, with `socket` as the management socket.
    pub fn text(&self, socket: &Path, signatures: &Path) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("ostiary_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mode = if self.full { "full" } else { "on-demand" };
        let idle = if self.polls { "poll" } else { "back-off" };
        format!(
            r#"[system]
host-name = "fw1"
{system}
[management]
socket = "{socket}"
{management}
[dataplane]
hugepages = false
memory = "256 MiB"
file-prefix = "{prefix}"
idle = "{idle}"
max-sessions = 20_000
inspection-slots = 4_000
fragment-slots = 256
{dataplane}
[[port]]
name = "inside"
device = "{inside}"
zone = "trust"

[[port]]
name = "outside"
device = "{outside}"
zone = "untrust"

{topology}
{rules}
[application-identification]
mode = "{mode}"
signatures = "{signatures}"
trusted-keys = ["{key}"]

[audit]
directory = "{trail}"
{audit}
[log.im]
enable = {im}
{log_im}
{rest}"#,
            socket = socket.display(),
            inside = self.inside,
            outside = self.outside,
            system = self.system,
            audit = self.audit,
            trail = socket.with_file_name("audit").display(),
            log_im = self.log_im,
            management = self.management,
            dataplane = self.dataplane,
            topology = self.topology,
            rules = self.rules,
            signatures = signatures.display(),
            key = std::fs::read_to_string(signatures.with_extension("public")).expect("made beside the database"),
            im = self.im,
            rest = self.rest,
        )
    }
}

/// The signatures of this checkout, or those of a folder `signatures` in `folder`, compiled into `folder` and signed; the
/// public key is beside them.
pub fn signatures(folder: &Path) -> PathBuf {
    let file = folder.join("ostiary.sigdb");
    let changed = folder.join("signatures");
    let source = if changed.is_dir() { changed } else { crate::program::root().join("sigdb/signatures") };
    sign(&source, &file);
    file
}

/// Copies the signatures of this checkout, to be changed.
pub fn copy_signatures(to: &Path) {
    std::fs::create_dir_all(to).expect("the folder is ours");
    let folder = crate::program::root().join("sigdb/signatures");
    for file in std::fs::read_dir(folder).expect("the checkout can be read").flatten() {
        let path = file.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            std::fs::copy(&path, to.join(file.file_name())).expect("the folder is ours");
        }
    }
}

/// Compiles a folder of signatures into `file` and signs it with the key beside it, which is made where there is none.
pub fn sign(source: &Path, file: &Path) {
    let (key, public) = (file.with_extension("key"), file.with_extension("public"));
    if !key.exists() {
        let output = crate::program::run(["sigdb".as_ref(), "key".as_ref(), key.as_os_str()]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = text.split('"').nth(1).unwrap_or_else(|| panic!("sigdb key: {output:?}")).to_owned();
        std::fs::write(&public, text).expect("the folder is ours");
    }
    let arguments = ["sigdb", "compile", "--key"].map(std::ffi::OsStr::new);
    let paths = [key.as_os_str(), "-o".as_ref(), file.as_os_str(), source.as_os_str()];
    let output = crate::program::run(arguments.into_iter().chain(paths));
    assert!(output.status.success(), "sigdb compile: {}", String::from_utf8_lossy(&output.stderr));
}
