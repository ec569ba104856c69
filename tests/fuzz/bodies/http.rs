//! The head of an HTTP message.

use sigdb::http::{Look, look};

/// Looks at it, and at everything in it.
pub fn run(data: &[u8]) {
    if let Look::Head(head) = look(data) {
        assert!(head.body_at <= data.len());
        let _ = (head.host(), head.content_length(), head.body_length());
        let _ = (head.field("user-agent"), head.field(""), head.query("uin"), head.query(""));
    }
    // What is shown in two pieces is the same head, or was not yet one.
    let half = data.get(..data.len() / 2).unwrap_or_default();
    if let (Look::Head(early), Look::Head(late)) = (look(half), look(data)) {
        assert!(!early.whole || early.body_at == late.body_at);
    }
}
