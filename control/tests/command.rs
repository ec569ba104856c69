//! The `ostiary` command as a program: exit codes, where text goes, and what a closed pipe does.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const POLICY: &str = r#"[dataplane]
workers = [0]
hugepages = false
memory = "64 MiB"
[[port]]
name = "inside"
device = "net_null0"
zone = "trust"
[[port]]
name = "outside"
device = "net_null1"
zone = "untrust"
[[wire]]
ports = ["inside", "outside"]
[[rule]]
name = "all"
action = "permit"
session-logging = true
[management]
socket = "/nonexistent/ostiary.sock"
"#;

fn ostiary(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ostiary"));
    command.args(arguments).env_remove("NO_COLOR").stdin(Stdio::null()).output().unwrap()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

fn policy(folder: &Path, text: &str) -> String {
    let file = folder.join("policy.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_sound_file_can_be_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy(folder.path(), POLICY);
    let output = ostiary(&["check", &file]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(
        said.contains(&format!(
            "warning: {file}:15:1: rule[all]\n  15 | [[rule]]\n     | ^^^^^^^^\n  effect:   session records are made"
        )),
        "{said}"
    );
    assert!(said.contains(": can be run, 1 warning\n1 rule, 2 ports, 1 worker, no log hosts; signatures "), "{said}");
    assert!(!said.contains('\u{1b}'), "no colour in a pipe");
}

#[test]
fn every_fault_is_told_and_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        policy(folder.path(), &POLICY.replace("\"permit\"", "\"allow\"").replace("workers = [0]", "workers = []"));
    let output = ostiary(&["check", &file]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&format!(
            "error: {file}:2:11: dataplane.workers\n  2 | workers = []\n    |           ^^\n  found:    []\n"
        )),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "error: {file}:17:10: rule[all].action\n  17 | action = \"allow\"\n     |          ^^^^^^^\n"
        )),
        "{said}"
    );
    assert!(said.ends_with(": 2 errors\n"), "{said}");

    let output = ostiary(&["check", "--json", &file]);
    assert_eq!(output.status.code(), Some(2));
    let notes: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(notes.len(), 2);
    assert_eq!(
        (&notes[1]["level"], &notes[1]["line"], &notes[1]["key"]),
        (&"error".into(), &17.into(), &"rule[all].action".into())
    );
    assert_eq!((&notes[1]["column"], &notes[1]["end"]), (&10.into(), &serde_json::json!({ "line": 17, "column": 17 })));

    let output = ostiary(&["run", "--config", &file]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    assert!(text(&output.stderr).contains("rule[all].action"), "{}", text(&output.stderr));
}

#[test]
fn what_the_machine_lacks_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy(folder.path(), &POLICY.replace("net_null1", "ffff:ff:1f.7"));
    let output = ostiary(&["check", &file]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("this machine cannot run") && said.contains("ffff:ff:1f.7"), "{said}");
}

#[test]
fn nothing_to_show_ends_with_2() {
    let output = ostiary(&["show", "im", "--socket", "/nonexistent/ostiary.sock"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    assert!(text(&output.stderr).contains("no ostiary is running"));
}

#[test]
fn bad_arguments_end_with_2() {
    let output = ostiary(&["fly"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    assert!(text(&output.stderr).contains("--help"));
}

#[test]
fn help_and_version_end_with_0() {
    let help = ostiary(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in ["ostiary check", "Exit codes", "NO_COLOR"] {
        assert!(text(&help.stdout).contains(word), "{word}");
    }
    let version = ostiary(&["version"]);
    assert_eq!(version.status.code(), Some(0));
    assert!(text(&version.stdout).starts_with(concat!("ostiary ", env!("CARGO_PKG_VERSION"), ", with signatures ")));
}

#[test]
fn a_database_is_compiled_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let signatures = concat!(env!("CARGO_MANIFEST_DIR"), "/../sigdb/signatures");
    let output = ostiary(&["sigdb", "compile", "-o", &file("a.sigdb"), signatures]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("qq") && text(&output.stdout).contains("wechat"));
    let made = std::fs::read(file("a.sigdb")).unwrap();

    let shown = ostiary(&["sigdb", "show", "--json", &file("a.sigdb")]);
    let row: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(row["file"], file("a.sigdb"));
    assert!(row["applications"].as_array().unwrap().iter().any(|application| application["name"] == "qq"));

    std::fs::write(file("bad.toml"), "[application]\nname = 7\n").unwrap();
    let output = ostiary(&["sigdb", "compile", "-o", &file("a.sigdb"), &file("bad.toml")]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    assert!(text(&output.stderr).contains("bad.toml"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(file("a.sigdb")).unwrap(), made, "the old one is as it was");

    std::fs::write(file("cut.sigdb"), &made[..made.len() - 1]).unwrap();
    let output = ostiary(&["sigdb", "show", &file("cut.sigdb")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("damaged"), "{}", text(&output.stderr));

    let output = ostiary(&["sigdb", "compile", "-o", "/nonexistent/a.sigdb", signatures]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_nothing_to_complain_about() {
    let folder = tempfile::tempdir().unwrap();
    // More faults than a pipe holds.
    let rules: String =
        (0..2_000).map(|number| format!("[[rule]]\nname = \"r{number}\"\naction = \"allow\"\n")).collect();
    let file = policy(folder.path(), &format!("{POLICY}{rules}"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_ostiary"))
        .args(["check", &file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((&some, ended.status.code()), (b"error:", Some(2)));
    assert_eq!(text(&ended.stderr), "");
}

#[test]
fn a_database_is_signed_verified_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let signatures = concat!(env!("CARGO_MANIFEST_DIR"), "/../sigdb/signatures");
    let key = |name: &str| {
        let made = ostiary(&["sigdb", "key", &file(name)]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
        text(&made.stdout).split('"').nth(1).unwrap().to_owned()
    };
    let (ours, theirs) = (key("ours.key"), key("theirs.key"));
    assert_eq!(ostiary(&["sigdb", "key", &file("ours.key")]).status.code(), Some(1), "it is not written over");
    let arguments = ["sigdb", "compile", "--key", &file("ours.key"), "-o", &file("a.sigdb"), signatures];
    assert_eq!(ostiary(&arguments).status.code(), Some(0));

    let verified = |arguments: &[&str]| {
        let output = ostiary(&[&["sigdb", "verify"], arguments].concat());
        (output.status.code(), text(&output.stdout).to_owned() + text(&output.stderr))
    };
    let (code, said) = verified(&["--trusted", &ours, &file("a.sigdb")]);
    assert!(code == Some(0) && said.contains(&format!("signed with {ours}")), "{said}");
    let (code, said) = verified(&["--trusted", &theirs, &file("a.sigdb")]);
    assert!(code == Some(2) && said.contains("not trusted"), "{said}");
    assert_eq!(verified(&[&file("a.sigdb")]).0, Some(0));
    let mut changed = std::fs::read(file("a.sigdb")).unwrap();
    changed[100] ^= 1;
    std::fs::write(file("changed.sigdb"), changed).unwrap();
    let (code, said) = verified(&[&file("changed.sigdb")]);
    assert!(code == Some(2) && said.contains("does not hold"), "{said}");
    assert_eq!(ostiary(&["sigdb", "compile", "-o", &file("b.sigdb"), signatures]).status.code(), Some(0));
    assert!(verified(&[&file("b.sigdb")]).1.contains("not signed"));
    assert_eq!(verified(&["--trusted", &ours, &file("b.sigdb")]).0, Some(2));

    let compared = ostiary(&["sigdb", "diff", &file("a.sigdb"), &file("b.sigdb")]);
    assert!(text(&compared.stdout).contains("the same content"), "{}", text(&compared.stdout));
    assert_eq!(ostiary(&["sigdb", "diff", &file("b.sigdb")]).status.code(), Some(0));
}

#[test]
fn a_policy_file_is_formatted_in_its_place() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let file = policy(folder.path(), "# kept\nx=1   # too\n[ a ]\ny = 'z'\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let canonical = "# kept\nx = 1  # too\n\n[a]\ny = \"z\"\n";

    let checked = ostiary(&["policy", "fmt", "--check", &file]);
    assert_eq!(checked.status.code(), Some(2));
    let diff = text(&checked.stdout);
    assert!(diff.contains("-x=1   # too\n") && diff.contains("+x = 1  # too\n"), "{diff}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("# kept\nx=1"), "nothing was written");

    let written = ostiary(&["policy", "fmt", &file]);
    assert_eq!((written.status.code(), text(&written.stdout), text(&written.stderr)), (Some(0), "", ""));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), canonical);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    assert_eq!(ostiary(&["policy", "fmt", "--check", &file]).status.code(), Some(0));

    let broken = policy(folder.path(), "x = 1\ny = \n");
    let refused = ostiary(&["policy", "fmt", &broken]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("  2 | y =\n"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(&broken).unwrap(), "x = 1\ny = \n");
}

#[test]
fn the_example_can_be_checked_and_is_in_its_form() {
    let folder = tempfile::tempdir().unwrap();
    let example = ostiary(&["policy", "example"]);
    let file = policy(folder.path(), text(&example.stdout));
    assert_eq!(ostiary(&["policy", "fmt", "--check", &file]).status.code(), Some(0));
    let schema = ostiary(&["policy", "schema"]);
    let schema: serde_json::Value = serde_json::from_str(text(&schema.stdout)).unwrap();
    assert_eq!(schema["properties"]["rule"]["items"]["required"], serde_json::json!(["name", "action"]));
    assert!(text(&ostiary(&["policy", "reference"]).stdout).contains("## `[[rule]]`"));
}
