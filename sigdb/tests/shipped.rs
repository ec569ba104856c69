//! The signatures that are shipped compile, which runs all their samples, and survive the way through a file.

use std::path::Path;

use sigdb::{Database, compile_folder};

#[test]
fn shipped_signatures_compile_and_their_samples_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
    let database = compile_folder(&folder).unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    });
    let again = Database::decode(&database.encode(), Path::new("memory")).expect("what was written is read");
    assert_eq!(again.digest(), database.digest());
    for name in ["qq", "wechat"] {
        let application = again.by_name(name).expect("shipped");
        assert_eq!(again.name(application), name);
    }
    assert!(again.is_server_port(17, 8000) && !again.is_server_port(17, 8001));
}
