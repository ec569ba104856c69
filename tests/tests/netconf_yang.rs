//! The YANG modules, judged by pyang and yanglint, and what the firewall says, judged by the modules.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netconf::{succeed, tool};
use ostiary_tests::policy::Policy;
use ostiary_tests::{program, skip};

/// The modules of the checkout.
fn modules() -> Vec<PathBuf> {
    let folder = program::root().join("control/yang");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn pyang_and_yanglint_take_the_modules() {
    let Some(pyang) = tool("pyang") else { return };
    if !skip::has_programs(&["yanglint"]) {
        return;
    }
    for module in modules() {
        let output = succeed(Command::new(&pyang).args(["--strict", "--max-line-length", "100"]).arg(&module));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        succeed(Command::new("yanglint").arg(&module));
    }
}

/// What `ostiary netconf` says to an operation: what stands in `<data>`.
fn data(socket: &Path, operation: &str) -> String {
    let mut command = program::command(["netconf", "--socket"]);
    let mut child = command.arg(socket).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let rpc = format!("<rpc xmlns='urn:ietf:params:xml:ns:netconf:base:1.0' message-id='1'>{operation}</rpc>]]>]]>");
    child.stdin.take().unwrap().write_all(rpc.as_bytes()).unwrap();
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let reply = text.split("]]>]]>").nth(1).unwrap_or_else(|| panic!("no reply: {text}"));
    let start = reply.find("<data>").unwrap_or_else(|| panic!("no data: {reply}")) + "<data>".len();
    reply[start..reply.rfind("</data>").unwrap()].to_owned()
}

#[test]
fn what_the_firewall_says_is_what_the_modules_say() {
    if !skip::has_programs(&["yanglint"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut policy = Policy::new("net_null0", "net_null1")
        .rule("staff", "from = [\"trust\"]\nsource = [\"office\"]\nservice = [\"web\"]\naction = \"permit\"\nsource-nat = \"out\"\n")
        .rule("all", "action = \"deny\"\nsession-logging = true\n")
        .host("file", 514, "");
    policy.rest.push_str(
        "[address]\noffice = [\"10.1.0.0/16\"]\n[service]\nweb = [\"tcp/80\", \"tcp/443\"]\n[nat.out]\n\
         pool = [\"198.51.100.10-198.51.100.20\"]\nport-hold = \"1 min\"\n[protection.drop]\nland = true\n",
    );
    let firewall = Firewall::start(folder.path(), &policy);
    let files = modules();
    let module = |name: &str| files.iter().find(|path| path.to_string_lossy().contains(name)).unwrap();
    let check = |name: &str, kind: &str, module: &Path, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        succeed(Command::new("yanglint").args(["-t", kind]).arg(module).arg(&file));
    };
    let running = data(&firewall.socket(), "<get-config><source><running/></source></get-config>");
    assert!(running.contains("<name>staff</name>") && running.contains("<name>out</name>"), "{running}");
    check("config.xml", "config", module("/ostiary@"), &running);
    let state = data(&firewall.socket(), "<get><filter><state xmlns='urn:ostiary:yang:ostiary-state'/></filter></get>");
    assert!(state.contains("<port><name>inside</name>") && state.contains("<counter>"), "{state}");
    check("state.xml", "get", module("/ostiary-state@"), &state);
    // A value that the module does not have is found out: the judge judges.
    let wrong = running.replace("<action>permit</action>", "<action>perhaps</action>");
    let file = folder.path().join("wrong.xml");
    std::fs::write(&file, wrong).unwrap();
    let judged = Command::new("yanglint").args(["-t", "config"]).arg(module("/ostiary@")).arg(&file).output().unwrap();
    assert!(!judged.status.success());
}
