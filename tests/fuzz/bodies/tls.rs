//! The first flight of a TLS connection.

use sigdb::WINDOW;
use sigdb::tls::{Look, look};

/// Looks at it, and at everything in it.
pub fn run(data: &[u8]) {
    let mut joined = [0; WINDOW];
    match look(data, &mut joined) {
        Look::Hello(hello) => {
            assert!(hello.server_name.is_none_or(|name| name.len() <= WINDOW));
            assert!(hello.application_protocols().count() <= WINDOW);
        }
        Look::Certificate(names) => assert!(names.all().count() <= WINDOW),
        Look::Records | Look::More | Look::No => {}
    }
}
