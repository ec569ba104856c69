//! `ostiary reset statistics` on a real terminal: it asks before it clears what cannot be restored.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc;

use ostiary_tests::access::{frames, play, playing, show};
use ostiary_tests::firewall::Firewall;
use ostiary_tests::process::{PATIENCE, free_port, wait_for};
use ostiary_tests::program;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// What a terminal in its ordinary mode takes for the end of the input.
const END: &[u8] = &[4];

/// `ostiary reset statistics access` on a pseudoterminal, where `answer` is typed once it asks: its exit code, and the screen.
fn typed(firewall: &Firewall, answer: &[u8]) -> (i32, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let name = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let mut child = {
        let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let socket = firewall.socket();
        let mut command = program::command(["reset", "statistics", "access", "--socket", socket.to_str().unwrap()]);
        command.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).stderr(terminal);
        // The command has our ends of the terminal, and gives them back when it is dropped.
        command.spawn().unwrap()
    };
    let mut keyboard = File::from(master);
    let mut screen = keyboard.try_clone().unwrap();
    let (sender, shown) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut room = [0; 1_024];
        // Once nobody has the other end any more there is an error.
        while let Ok(length @ 1..) = screen.read(&mut room) {
            if sender.send(room[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("[y/N] ") {
        said.extend(shown.recv_timeout(PATIENCE).expect("it asks"));
    }
    keyboard.write_all(answer).unwrap();
    let status = wait_for("the command to end", || child.try_wait().unwrap());
    reader.join().unwrap();
    said.extend(shown.into_iter().flatten());
    (status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a20_reset_asks_on_a_terminal_and_totals_since_the_start_stay() {
    let folder = tempfile::tempdir().unwrap();
    let recording = "[log.access]\nenable = true\nversion = 4\n[log.call-status]\nenable = true\n";
    let policy = playing(folder.path(), &frames(), recording).host("nms", free_port(), "transport = \"tcp\"\n");
    let firewall = play(folder.path(), &policy, 1);
    let received = || show(&firewall, &["access", "statistics"])[0]["received"].as_u64().unwrap();
    let totals = || {
        let statistics = firewall.statistics();
        let mut rows = statistics["records"].as_array().unwrap().clone();
        // Each reset is recorded itself.
        rows.retain(|row| row["class"] != "audit");
        let mut classes = statistics["hosts"][0]["classes"].as_array().unwrap().clone();
        classes.retain(|row| row["class"] != "audit");
        (rows, classes)
    };
    let audited = || {
        let rows = firewall.statistics()["records"].as_array().unwrap().clone();
        rows.iter().find(|row| row["class"] == "audit").unwrap()["records"].as_u64().unwrap()
    };
    let recorded = audited();
    let before = totals();
    assert_eq!(received(), 3);
    for answer in [&b"n\n"[..], b"\n", b"yes please\n", END] {
        let (code, screen) = typed(&firewall, answer);
        assert!(screen.contains("Cleared statistics cannot be restored. Continue? [y/N] "), "{screen}");
        assert!(code == 2 && screen.contains("nothing was cleared"), "{answer:?}: {code}: {screen}");
        assert_eq!((received(), audited()), (3, recorded), "{answer:?}");
    }
    let (code, screen) = typed(&firewall, b"y\n");
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("statistics of access begin again at "), "{screen}");
    assert_eq!((received(), audited()), (0, recorded + 1));
    assert_eq!(totals(), before, "what is counted since the start stays");
    assert_eq!(before.0.iter().find(|row| row["class"] == "access").unwrap()["records"], 3);
    firewall.stop();
}
