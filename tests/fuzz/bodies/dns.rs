//! DNS messages: a question, and what may be its answer.

use sigdb::dns::{Asked, look};

/// Reads both.
pub fn run(data: &[u8]) {
    let mut asked = Asked::default();
    for message in [data, data.get(data.len() / 2..).unwrap_or_default()] {
        let Some(message) = look(message) else { continue };
        assert!(message.question().is_none_or(|name| name.len() <= 253));
        assert!(message.names().all(|name| name.len() <= 253));
        // Eight hints a record at most.
        assert!(message.addresses().count() <= 8 * sigdb::dns::MOST_RECORDS);
        asked.ask(&message);
        let _ = asked.answers(&message);
    }
}
