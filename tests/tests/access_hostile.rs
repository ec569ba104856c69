//! Floods of requests, answers and endings of nobody: the memory that they take has an end. That nobody is missed or invented
//! meanwhile, the stories themselves are held against.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::PathBuf;
use std::process::Command;

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use ostiary_tests::{program, skip, stories};

/// Runs a program, and says what memory it had at most, in KiB.
const PEAK: &str = "import resource, subprocess, sys\n\
                    subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
                    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";

fn peak_of_replay(captures: &[PathBuf]) -> u64 {
    let mut command = Command::new("python3");
    command.args(["-c", PEAK]).arg(program::path()).args(["replay", "--json"]).args(captures);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn the_memory_of_a_flood_does_not_grow_with_it() {
    if !skip::has_programs(&["python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut story = catalogue::find("access_floods").unwrap().tell(1);
    let write = |number: u64| {
        story.begins += 36_000;
        stories::write(&story, Layout::PLAIN, folder.path(), &format!("{number}.pcap"))
    };
    let captures: Vec<PathBuf> = (0..3).map(write).collect();
    let (once, thrice) = (peak_of_replay(&captures[..1]), peak_of_replay(&captures));
    assert!(thrice < once + once / 10, "{once} KiB of one flood, {thrice} KiB of three");
}
