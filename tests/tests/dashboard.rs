//! The page in a headless Chromium, with real traffic behind it.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::browser::{Browser, PROGRAM, wait_for_port};
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{free_port, wait_for};
use ostiary_tests::{skip, stories, trail};
use serde_json::Value;

const SECRET: &str = "s3cret";
const TOKEN: &str = "a-token-of-thirty-two-characters";
/// What somebody calls himself who wants to be more than a name.
const HOSTILE: &str = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>";

/// A firewall through which a user of QQ signs on and stays, with a page; the account.
fn firewall(folder: &Path, port: u16, radius: u16, more: &str) -> (Firewall, String) {
    let story = catalogue::find("qq_silence").unwrap().tell(3);
    let account = story.expected.sign_ons[0].account.clone();
    let capture = stories::write(&story, Layout::PLAIN, folder, "story.pcap");
    let nothing = Story { begins: 0, frames: Vec::new(), expected: Default::default() };
    let empty = stories::write(&nothing, Layout::PLAIN, folder, "empty.pcap");
    let device = |number, from: &Path| {
        let to = folder.join(format!("out{number}"));
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", from.display(), to.display())
    };
    let secret = folder.join("bras1");
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut policy = Policy::new(device(0, &capture), device(1, &empty))
        .rule("staff-im", "application = [\"qq\", \"wechat\"]\naction = \"permit\"\nsession-logging = true\n")
        .rule("rest", "action = \"permit\"\nsession-logging = true\n")
        .host("siem", free_port(), "transport = \"tcp\"\nformat = \"syslog\"\n");
    policy.dataplane.push_str("mirror = true\n");
    policy.rest.push_str(&format!(
        "[dashboard]\nlisten = \"127.0.0.1:{port}\"\nusers = true\naudit = true\n{more}\n[log.access]\nenable = true\n\
         [access.receiver]\nlisten = \"127.0.0.1:{radius}\"\n[[access.nas]]\nname = \"bras1\"\naddress = [\"127.0.0.1\"]\n\
         secret-file = \"{}\"\n",
        secret.display()
    ));
    let firewall = Firewall::start(folder, &policy);
    wait_for_port(port);
    (firewall, account)
}

/// Tells the firewall of a user with that name.
fn sign_on(radius: u16, name: &str) {
    let mut command = Command::new("radclient");
    command.args(["-t", "1", "-r", "5", &format!("127.0.0.1:{radius}"), "acct", SECRET]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let attributes = format!(
        "Acct-Status-Type = Start, User-Name = \"{name}\", Acct-Session-Id = \"1\", Framed-IP-Address = 10.99.0.10, \
         Calling-Station-Id = \"02-00-00-00-c0-01\"\n"
    );
    child.stdin.take().unwrap().write_all(attributes.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn has(id: &str, text: &str) -> String {
    format!("document.getElementById('{id}').innerText.includes({})", Value::from(text))
}

/// Types into a field, as somebody would.
fn fill(browser: &mut Browser, id: &str, text: &str) {
    browser.evaluate(&format!("document.getElementById('{id}').focus(); document.getElementById('{id}').select?.()"));
    browser.evaluate(&format!("document.execCommand('insertText', false, {})", Value::from(text)));
}

fn clear(browser: &mut Browser, id: &str) {
    browser.evaluate(&format!("document.getElementById('{id}').select()"));
    browser.evaluate("document.execCommand('delete')");
}

#[test]
fn a_browser_shows_who_signs_on_and_what_is_done_with_it() {
    if !skip::has_programs(&[PROGRAM, "radclient"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (port, radius) = (free_port(), free_port());
    let (firewall, account) = firewall(folder.path(), port, radius, "");
    wait_for("the user to be online", || {
        firewall.show("im").iter().any(|row| row["account"] == *account).then_some(())
    });
    sign_on(radius, HOSTILE);

    let mut browser = Browser::start(folder.path(), 1400, 1000);
    browser.open(&format!("http://127.0.0.1:{port}/"));
    browser.wait("the page to be live", "document.getElementById('link')?.innerText === 'live'");
    browser.wait("the host's name", &has("host", "fw1"));
    browser.wait("the user", &has("users-table", &account));
    browser.wait("the sign-on", &has("sign-ons-table", &account));
    browser.wait("the application", &has("applications-table", "qq"));
    browser.wait("the rule", &has("policy-table", "staff-im"));
    browser.wait("the log host", &has("hosts-table", "siem"));
    browser.wait("the ports", &has("ports-table", "outside"));
    browser.wait("the workers", &has("workers-table", "%"));
    browser.wait("the trail", &has("audit-table", "system-start"));
    browser.wait("the charts", "document.querySelectorAll('.chart canvas').length >= 2");
    // Sessions that the rule took are its hits.
    let hits = "Number([...document.querySelectorAll('#policy-table tbody tr')].find(row => row.cells[1].innerText === 'staff-im').cells[3].innerText) > 0";
    browser.wait("hits of the rule", hits);

    // Filters.
    fill(&mut browser, "users-text", "nobody has this name");
    browser.wait("nobody to fit", &has("users-table", "Nobody who is online fits this filter."));
    clear(&mut browser, "users-text");
    fill(&mut browser, "users-text", &account);
    browser.wait("the user to fit", &has("users-table", &account));
    clear(&mut browser, "users-text");
    browser.evaluate("document.getElementById('users-of').value = 'qq'; document.getElementById('users-of').dispatchEvent(new Event('change'))");
    browser.wait("the user of QQ", &has("users-table", &account));
    fill(&mut browser, "policy-text", "implicit");
    browser.wait("one rule", "document.querySelectorAll('#policy-table tbody tr').length === 1");

    // A name is a name, whatever is in it.
    browser.evaluate("document.querySelector('input[name=kind][value=access]').click()");
    browser.wait("the user of the access network", &has("users-table", "<script>"));
    browser.wait("and the sign-on", &has("sign-ons-table", "onerror"));
    assert_eq!(browser.evaluate("document.querySelectorAll('main img, main script, main [onerror]').length"), 0);
    assert_eq!(browser.evaluate("document.title"), "fw1 – Ostiary");

    // What scrolls is reached by the keyboard, and a narrow window does not scroll sideways.
    assert_eq!(browser.evaluate("document.getElementById('users-table').tabIndex"), 0);
    let narrow = serde_json::json!({ "width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": false });
    browser.call("Emulation.setDeviceMetricsOverride", narrow);
    browser.wait("the page to be narrow", "document.documentElement.scrollWidth <= 390");

    let (addresses, complaints) = browser.said();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let origin = format!("http://127.0.0.1:{port}/");
    assert!(addresses.len() > 10 && addresses.iter().all(|address| address.starts_with(&origin)), "{addresses:#?}");

    // The firewall goes: the page says so, and since when.
    assert_eq!(firewall.stop().0, 0);
    browser.wait("the page to miss it", &has("stale", "has not answered for"));
    assert_eq!(browser.evaluate("document.getElementById('link').innerText"), "connection lost");
    assert_eq!(browser.evaluate("document.title"), "fw1 – Ostiary");

    // Who looked is in the trail, once.
    let records = trail::records(folder.path());
    let views = records.iter().filter(|row| row["action"] == "sensitive-view" && row["via"] == "dashboard");
    let mut views: Vec<&str> = views.filter_map(|row| row["view"].as_str()).collect();
    views.sort_unstable();
    assert_eq!(views, ["audit", "sign-ons", "users online"]);
}

#[test]
fn a_browser_is_let_in_by_the_token_over_tls() {
    if !skip::has_programs(&[PROGRAM]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let token = folder.path().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let port = free_port();
    let more = format!(
        "certificate = \"{}\"\nkey = \"{}\"\ntoken-file = \"{}\"\n",
        certificates.file("server.pem"),
        certificates.file("server.key"),
        token.display()
    );
    let (firewall, account) = firewall(folder.path(), port, free_port(), &more);
    let mut browser = Browser::start(folder.path(), 1200, 900);
    browser.call("Security.setIgnoreCertificateErrors", serde_json::json!({ "ignore": true }));
    browser.open(&format!("https://127.0.0.1:{port}/"));
    browser.wait("the door", "document.getElementById('door')?.open === true");
    assert!(!browser.evaluate("document.body.innerText").as_str().unwrap().contains(&account));
    fill(&mut browser, "token", "wrong-but-long-enough");
    browser.evaluate("document.querySelector('#login button').click()");
    browser.wait("the refusal", &has("refused", "That is not the token."));
    fill(&mut browser, "token", TOKEN);
    browser.evaluate("document.querySelector('#login button').click()");
    browser.wait("the user", &has("users-table", &account));
    browser.wait("the trail", &has("audit-table", "login-failed"));
    // The page's scripts never have what the browser shows at the door.
    assert_eq!(browser.evaluate("document.cookie"), "");
    browser.open(&format!("https://127.0.0.1:{port}/"));
    browser.wait("the user, without a door", &has("users-table", &account));
    browser.evaluate("document.getElementById('logout').click()");
    browser.wait("the door again", "document.getElementById('door')?.open === true");
    drop(firewall);
}
