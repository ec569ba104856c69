//! A headless Chromium, spoken to through its two pipes by the DevTools protocol.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::{Value, json};

use crate::process::{PATIENCE, Running, wait_for};

/// The program's name.
pub const PROGRAM: &str = "chromium";

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    _running: Running,
    input: ChildStdin,
    messages: Receiver<Value>,
    last: u64,
    session: Option<String>,
    /// What came that nobody has looked at.
    events: Vec<Value>,
}

impl Browser {
    /// Starts one of a width in pixels, its files in `folder`, with a window that shows nothing yet.
    pub fn start(folder: &Path, width: u32, height: u32) -> Self {
        let mut command = Command::new("sh");
        // What the protocol reads and writes are the descriptors 3 and 4.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null", "sh", PROGRAM]);
        command.args([
            "--headless",
            "--no-sandbox",
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ]);
        command.args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]);
        command.args(["--hide-scrollbars", "--lang=en-GB", &format!("--window-size={width},{height}")]);
        command.arg(format!("--user-data-dir={}", folder.join("chromium").display())).arg("about:blank");
        command.env("TZ", "UTC").env("HOME", folder).stderr(Stdio::null());
        let (running, input, output) = Running::start_with_pipes(&mut command);
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut octets = Vec::new();
            while output.read_until(0, &mut octets).is_ok_and(|count| count > 0) {
                octets.pop();
                let Ok(message) = serde_json::from_slice(&octets) else { break };
                if sender.send(message).is_err() {
                    break;
                }
                octets.clear();
            }
        });
        let mut browser = Self { _running: running, input, messages, last: 0, session: None, events: Vec::new() };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Asks something of it, and waits for the answer.
    ///
    /// # Panics
    /// Where it refuses, or does not answer.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.ask(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The same; what it refuses with is the error.
    fn ask(&mut self, method: &str, parameters: Value) -> Result<Value, Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut octets = message.to_string().into_bytes();
        octets.push(0);
        self.input.write_all(&octets).expect("chromium listens");
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message =
                self.messages.recv_timeout(left).unwrap_or_else(|_| panic!("chromium does not answer {method}"));
            if message["id"] == self.last {
                return message.get("error").map_or_else(|| Ok(message["result"].clone()), |error| Err(error.clone()));
            }
            self.events.push(message);
        }
    }

    /// Goes to an address.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// Where it throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        self.value(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// The same; the error is what it threw, or that there is no page at this moment.
    fn value(&mut self, expression: &str) -> Result<Value, Value> {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask("Runtime.evaluate", asked)?;
        answer.get("exceptionDetails").map_or_else(|| Ok(answer["result"]["value"].clone()), |error| Err(error.clone()))
    }

    /// Waits until an expression is true. While a page is loaded, what it asks for may not be there yet.
    ///
    /// # Panics
    /// Where it does not become so; with what the page shows then.
    pub fn wait(&mut self, what: &str, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.value(expression) != Ok(true.into()) {
            if Instant::now() >= end {
                panic!("gave up waiting for {what}: {}", self.evaluate("document.body.innerText"));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Writes what the window shows to a file, as PNG.
    pub fn screenshot(&mut self, file: &Path) {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let text = shot["data"].as_str().expect("a picture is text in base64");
        std::fs::write(file.with_extension("base64"), text).expect("the folder is ours");
        let decoded = Command::new("base64").arg("-d").arg(file.with_extension("base64")).output();
        std::fs::write(file, decoded.expect("base64 is there").stdout).expect("the folder is ours");
        std::fs::remove_file(file.with_extension("base64")).expect("it was just written");
    }

    /// The addresses that the page asked for, and what it complained of, so far.
    pub fn said(&mut self) -> (Vec<String>, Vec<String>) {
        // What was still on the way is in front of the answer.
        self.evaluate("1");
        let (mut addresses, mut complaints) = (Vec::new(), Vec::new());
        for event in &self.events {
            let parameters = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Network.requestWillBeSent" => {
                    addresses.extend(parameters["request"]["url"].as_str().map(str::to_owned));
                }
                "Runtime.exceptionThrown" => complaints.push(parameters.to_string()),
                "Runtime.consoleAPICalled" if parameters["type"] == "error" || parameters["type"] == "warning" => {
                    complaints.push(parameters.to_string());
                }
                "Log.entryAdded" if parameters["entry"]["level"] == "error" => {
                    complaints.push(parameters["entry"].to_string());
                }
                _ => {}
            }
        }
        (addresses, complaints)
    }

    /// Forgets what was said so far.
    pub fn forget(&mut self) {
        self.evaluate("1");
        self.events.clear();
    }
}

/// Waits until somebody answers at an address of this machine.
pub fn wait_for_port(port: u16) {
    wait_for("the page", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
}
