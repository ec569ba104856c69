//! A file of the audit trail after whatever happened to it.

use control::audit::chain::Verifier;
use control::audit::line::Line;
use control::signatures::key::PublicKey;

/// Goes through it line by line: nothing is taken for whole that is not, and each line is blamed once at the most.
pub fn run(data: &[u8]) {
    let mut verifier = Verifier::new(Vec::new());
    let (mut lines, mut faults) = (0, Vec::new());
    verifier.begin_file();
    for line in data.split(|octet| *octet == b'\n') {
        lines += 1;
        let (read, found) = verifier.line(line);
        assert!(read.is_some() || !found.is_empty(), "what is no line is told");
        if let Some(Line::Record { n, prev }) = &read {
            let text = String::from_utf8(line.to_vec()).expect("JSON is UTF-8");
            assert!(text.ends_with(&format!(",\"n\":{n},\"prev\":\"{prev}\"}}")));
        }
        assert_eq!(read, Line::parse(line));
        faults.extend(found);
    }
    faults.extend(verifier.end());
    assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line)));
    // Nobody can sign with this key: no line that says so holds.
    let mut ours = Verifier::new(vec![PublicKey::from([7; 32])]);
    ours.begin_file();
    for line in data.split(|octet| *octet == b'\n') {
        let (read, found) = ours.line(line);
        let is_signed = matches!(read, Some(Line::Checkpoint(_) | Line::Close(_)));
        assert!(!is_signed || !found.is_empty());
    }
}
