//! Pictures of the page for the documentation: `screenshots URL FOLDER`.

use std::path::Path;
use std::process::ExitCode;

use ostiary_tests::browser::Browser;
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, folder] = arguments.as_slice() else {
        eprintln!("usage: screenshots URL FOLDER");
        return ExitCode::from(2);
    };
    let Ok(files) = tempfile::tempdir() else { return ExitCode::FAILURE };
    let mut browser = Browser::start(files.path(), 1_280, 1_000);
    browser.call("Network.setCacheDisabled", json!({ "cacheDisabled": true }));
    for (name, scheme, width, height) in
        [("wide", "light", 1_280, 1_000), ("dark", "dark", 1_280, 1_000), ("narrow", "light", 390, 844)]
    {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.call("Emulation.setEmulatedMedia", scheme);
        browser.open(url);
        browser.wait("somebody to be online", "!!document.querySelector('#users-table tbody tr')");
        browser.wait("throughput", "document.getElementById('tile-bits').innerText.includes('bit/s')");
        browser.wait("charts", "document.querySelectorAll('.chart canvas').length >= 2");
        browser.screenshot(&Path::new(folder).join(format!("{name}.png")));
    }
    ExitCode::SUCCESS
}
