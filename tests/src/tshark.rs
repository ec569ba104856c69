//! What tshark thinks of messages on the wire.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bench::pktgen::dice::Dice;
use bench::pktgen::frames::{Ends, Link, Side};
use bench::pktgen::pcap::Layout;
use bench::pktgen::script::Script;
use bench::pktgen::story::Story;
use bench::pktgen::tcp::Connection;

use crate::stories;

/// Puts messages on a wire to `port` of a collector, as datagrams or as one stream, and gives `fields` of every packet that
/// tshark dissects as `protocol`, tab-separated; and everything that it complains of.
pub fn dissect(
    folder: &Path,
    messages: &[Vec<u8>],
    stream: bool,
    port: u16,
    protocol: &str,
    fields: &[&str],
) -> (Vec<String>, Vec<String>) {
    let mut script = Script::new(Link::plain(), Dice::new(1));
    let ends = Ends { client: ([10, 0, 0, 1], 40_000).into(), server: ([10, 0, 0, 2], port).into() };
    if stream {
        let mut connection = Connection::open(&mut script, ends, Duration::ZERO);
        connection.send(&mut script, Side::Client, &messages.concat());
        connection.finish(&mut script, Side::Client);
    } else {
        for (i, message) in messages.iter().enumerate() {
            script.udp(Duration::from_millis(i as u64), Side::Client, ends, message);
        }
    }
    let (frames, expected) = script.in_order();
    let capture = stories::write(&Story { begins: 0, frames, expected }, Layout::PLAIN, folder, "messages.pcap");
    let tshark = |filter: &str, fields: &[&str]| {
        let mut command = Command::new("tshark");
        command.arg("-r").arg(&capture).args(["-Y", filter, "-T", "fields"]);
        fields.iter().for_each(|field| {
            command.args(["-e", field]);
        });
        let output = command.output().expect("tshark runs");
        assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // 6291456 is "warning"; worse is more.
    let complaints = tshark(
        "_ws.malformed || _ws.expert.severity >= 6291456",
        &["frame.number", "_ws.col.Info", "_ws.expert.message"],
    );
    (tshark(protocol, fields), complaints)
}
