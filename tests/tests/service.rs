//! The firewall as a service: what the service manager hears of it, what its threads may still do, and what its unit allows.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{Lab, SERVER};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::{program, skip};
use tempfile::TempDir;

const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;
const UNIT: &str = "scripts/packaging/ostiary.service";

/// Two ports that are files: they need no right at all.
fn files(folder: &Path) -> Policy {
    let empty = [0xd4_u8, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    let device = |number: u8| {
        let (from, to) = (folder.join(format!("in{number}.pcap")), folder.join(format!("out{number}.pcap")));
        std::fs::write(&from, empty).unwrap();
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", from.display(), to.display())
    };
    Policy::new(device(0), device(1)).rule("all", "action = \"permit\"")
}

/// What a service manager hears.
struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { folder, socket }
    }

    /// The firewall as it would start it.
    fn start(&self, watchdog: Duration) -> Firewall {
        let mut command = Command::new(program::path());
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        Firewall::start_with(self.folder.path(), &files(self.folder.path()), command)
    }

    fn hear(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut octets = [0; 4096];
        let length = self.socket.recv(&mut octets).ok()?;
        Some(String::from_utf8(octets[..length].to_vec()).unwrap())
    }

    /// The next message that is no sign of life.
    fn news(&self) -> String {
        wait_for("news", || self.hear(Duration::from_secs(1)).filter(|message| message != "WATCHDOG=1"))
    }

    fn sign_of_life(&self) {
        wait_for("a sign of life", || self.hear(Duration::from_secs(1)).filter(|message| message == "WATCHDOG=1"));
    }
}

/// A thread that does not run until this is dropped, as one does that a debugger holds.
struct Held(Child);

impl Held {
    /// None, and said, where nobody may do that here.
    fn hold(thread: u32) -> Option<Self> {
        const PROGRAM: &str = "$| = 1; my $thread = 0 + $ARGV[0]; \
            syscall(101, 0x4206, $thread, 0, 0) == 0 or exit 7; syscall(101, 0x4207, $thread, 0, 0) == 0 or exit 7; \
            waitpid($thread, 0x40000000); print \"held\\n\"; <STDIN>;";
        if !cfg!(target_arch = "x86_64") || !skip::has_programs(&["perl"]) {
            return None;
        }
        let mut command = Command::new("perl");
        command.args(["-e", PROGRAM, &thread.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "held\n" {
            child.wait().unwrap();
            skip::skip("no thread can be held here (ptrace)");
            return None;
        }
        Some(Self(child))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A thread's `status` in /proc, by field.
type Status = BTreeMap<String, String>;

fn threads(pid: u32) -> Vec<(String, u32, Status)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let status = |task: PathBuf| {
        let number = task.file_name()?.to_str()?.parse().ok()?;
        let text = std::fs::read_to_string(task.join("status")).ok()?;
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let fields: Status = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Some((fields["Name"].clone(), number, fields))
    };
    tasks.filter_map(|task| status(task.path())).collect()
}

fn mask(status: &Status, field: &str) -> u64 {
    u64::from_str_radix(&status[field], 16).unwrap()
}

#[test]
fn a_life_is_told_from_ready_to_stopping() {
    let manager = Manager::new();
    let firewall = manager.start(Duration::from_secs(8));
    let ready = manager.news();
    assert!(ready.starts_with("READY=1\nSTATUS=ports: 2; workers: 1; log hosts: 0; policy 1 "), "{ready}");
    assert!(firewall.log().contains("ostiary: running, 2 ports"), "{}", firewall.log());
    manager.sign_of_life();
    manager.sign_of_life();
    let status = Command::new("kill").args(["-HUP", &firewall.pid().to_string()]).status().unwrap();
    assert!(status.success());
    let reloading = manager.news();
    let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.split('\n').next());
    assert!(micros.is_some_and(|micros| micros.parse::<u64>().is_ok_and(|micros| micros > 0)), "{reloading}");
    let ready = manager.news();
    assert!(ready.starts_with("READY=1\n") && ready.contains("policy 2 since"), "{ready}");
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    assert!(manager.news().starts_with("STOPPING=1\n"));
}

#[test]
fn who_stands_still_gives_no_sign_of_life() {
    let manager = Manager::new();
    let watchdog = Duration::from_secs(4);
    let firewall = manager.start(watchdog);
    manager.sign_of_life();
    let worker = threads(firewall.pid()).into_iter().find(|(name, ..)| name == "worker-0").unwrap().1;
    let Some(held) = Held::hold(worker) else { return };
    let said = wait_for("the stuck worker", || {
        manager.hear(Duration::from_secs(1)).filter(|message| message.contains("worker-0 on core"))
    });
    assert!(said.starts_with("STATUS=worker-0 on core ") && said.contains("no turn for"), "{said}");
    assert!(firewall.log().contains("has made no turn"), "{}", firewall.log());
    assert_eq!(manager.hear(watchdog), None, "the service manager has ended it by now");
    drop(held);
    manager.sign_of_life();
    assert!(firewall.log().contains("turns again"), "{}", firewall.log());

    // Nor does the control loop have a thread that speaks for it.
    let Some(held) = Held::hold(firewall.pid()) else { return };
    while manager.hear(Duration::from_millis(1)).is_some() {}
    assert_eq!(manager.hear(watchdog), None);
    drop(held);
    manager.sign_of_life();
    assert_eq!(firewall.stop().0, 0);
}

/// What the README says of every thread; `kept` is of those that open and close ports.
fn judge(firewall: &Firewall, opening: u64, closing: u64, bounding: u64) {
    let mut seen = Vec::new();
    for (name, _, status) in threads(firewall.pid()) {
        let (held, bound) = (mask(&status, "CapPrm"), mask(&status, "CapBnd"));
        assert_eq!(held, mask(&status, "CapEff"), "{name}: {status:?}");
        assert_eq!((mask(&status, "CapInh"), mask(&status, "CapAmb")), (0, 0), "{name}");
        match name.as_str() {
            "outside" => assert_eq!(held, closing, "{name}"),
            eal if eal.starts_with("eal-") || eal.starts_with("dpdk-") || eal.starts_with("rte_") => {
                assert_eq!(held, opening, "{name}")
            }
            // Nothing comes of its bounding set.
            worker if worker.starts_with("worker-") => {
                assert_eq!((held, status["NoNewPrivs"].as_str()), (0, "1"), "{name}")
            }
            _ => assert_eq!((held, bound, status["NoNewPrivs"].as_str()), (0, bounding, "1"), "{name}"),
        }
        seen.push(name);
    }
    for name in ["ostiary", "worker-0", "store", "archiver", "reload", "lookup", "outside"] {
        assert!(seen.iter().any(|thread| thread == name), "{name} is not among {seen:?}");
    }
}

#[test]
fn with_files_for_ports_no_thread_holds_a_capability() {
    if !skip::is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let firewall = Firewall::start(folder.path(), &files(folder.path()));
    judge(&firewall, 0, 0, 0);
    assert!(firewall.log().contains("ostiary: confined: no capabilities; "), "{}", firewall.log());
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn a_packet_socket_leaves_its_rights_to_who_closes_it() {
    let Some(lab) = Lab::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1").rule("all", "action = \"permit\"");
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    judge(&firewall, NET_ADMIN | NET_RAW, 0, 0);
    let (code, log) = firewall.stop();
    assert!(code == 0 && !log.contains("ermitted"), "{log}");
}

/// The capabilities that the unit gives are enough for another user than root.
#[test]
fn the_units_capabilities_are_enough() {
    if !skip::has_programs(&["setpriv", "ping"]) {
        return;
    }
    let Some(lab) = Lab::build() else { return };
    let unit = std::fs::read_to_string(program::root().join(UNIT)).unwrap();
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned();
    let given = value("AmbientCapabilities=");
    assert_eq!(given, value("CapabilityBoundingSet="));
    let given: Vec<String> =
        given.split(' ').map(|one| format!("+{}", one.trim_start_matches("CAP_").to_lowercase())).collect();
    let given = format!("-all,{}", given.join(","));

    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().unwrap();
    // The checkout may be where only root comes.
    let binary = folder.path().join("ostiary");
    std::fs::copy(program::path(), &binary).unwrap();
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut policy =
        Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1").rule("all", "action = \"permit\"");
    policy.system = format!("state-directory = \"{}\"", folder.path().join("state").display());
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &lab.firewall, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.args(["--no-new-privs", "--inh-caps", &given, "--ambient-caps", &given, "--bounding-set", &given]);
    command.arg(&binary).env("XDG_RUNTIME_DIR", folder.path());
    let firewall = Firewall::start_with(folder.path(), &policy, command);
    judge(&firewall, NET_ADMIN | NET_RAW, 0, NET_ADMIN | NET_RAW);
    wait_for("a ping to cross", || {
        lab.client("ping").args(["-c", "1", "-W", "1", SERVER]).output().unwrap().status.success().then_some(())
    });
    let (code, log) = firewall.stop();
    assert!(code == 0, "{log}");
}

#[test]
fn a_file_that_was_given_away_is_refused_by_name() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let firewall = Firewall::start(folder.path(), &files(folder.path()));
    if !firewall.log().contains("no other is reached") {
        skip::skip("this kernel has no Landlock");
        return;
    }
    let (policy, socket) = (folder.path().join("policy.toml"), firewall.socket());
    let before = std::fs::read_to_string(&policy).unwrap();
    let reload = |members: &Path| {
        let groups = format!("[user-group]\nvip = {{ file = \"{}\" }}\n", members.display());
        std::fs::write(&policy, format!("{before}\n{groups}")).unwrap();
        let output = program::run(["reload".as_ref(), "--socket".as_ref(), socket.as_os_str()]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let members = elsewhere.path().join("members");
    std::fs::write(&members, "alice\n").unwrap();
    for file in [&members, Path::new("/etc/shadow")] {
        let (code, said) = reload(file);
        let expected = format!("user-group.vip.file is {}, which the running process gave away", file.display());
        assert!(code == Some(2) && said.contains(&expected), "{code:?} {said}");
    }
    // Beside the policy file it may lie.
    let members = folder.path().join("members");
    std::fs::write(&members, "alice\n").unwrap();
    let (code, said) = reload(&members);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn confinement_can_be_turned_off() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut policy = files(folder.path());
    policy.system = "confine = false\n".to_owned();
    let firewall = Firewall::start(folder.path(), &policy);
    assert!(firewall.log().contains("not confined: [system] confine is false"), "{}", firewall.log());
    let members = elsewhere.path().join("members");
    std::fs::write(&members, "alice\n").unwrap();
    let file = folder.path().join("policy.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n[user-group]\nvip = {{ file = \"{}\" }}\n", members.display())).unwrap();
    let output = program::run(["reload".as_ref(), "--socket".as_ref(), firewall.socket().as_os_str()]);
    assert!(output.status.success(), "{output:?}");
    assert!(threads(firewall.pid()).iter().all(|(name, ..)| name != "outside" && name != "lookup"));
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn the_unit_scores_under_three() {
    if !skip::has_programs(&["systemd-analyze"]) {
        return;
    }
    let unit = program::root().join(UNIT);
    let mut command = Command::new("systemd-analyze");
    let output =
        command.args(["security", "--offline=true", "--threshold=30", "--no-pager"]).arg(&unit).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("Overall exposure level"), "{said}");
    assert!(!said.contains("ignoring"), "{said}");
}
