//! What the fuzz targets do with the octets that they are given; the tests do it too, with those that were found.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use sigdb::Database;

#[cfg(feature = "dataplane")]
pub mod access;
#[cfg(feature = "dataplane")]
pub mod chain;
pub mod compile;
#[cfg(feature = "dataplane")]
pub mod dhcp;
#[cfg(feature = "dataplane")]
pub mod dhcpv6;
pub mod diff;
pub mod dns;
#[cfg(feature = "dataplane")]
pub mod eapol;
pub mod explain;
pub mod flow;
#[cfg(feature = "dataplane")]
pub mod fragments;
#[cfg(feature = "dataplane")]
pub mod frames;
pub mod framings;
pub mod http;
pub mod load;
#[cfg(feature = "dataplane")]
pub mod netconf;
#[cfg(feature = "dataplane")]
pub mod ppp;
pub mod quic;
#[cfg(feature = "dataplane")]
pub mod radius;
#[cfg(feature = "dataplane")]
pub mod records;
#[cfg(feature = "dataplane")]
pub mod relp;
#[cfg(feature = "dataplane")]
pub mod spool;
#[cfg(feature = "dataplane")]
pub mod sshd;
#[cfg(feature = "dataplane")]
pub mod stream;
pub mod tls;
#[cfg(feature = "dataplane")]
mod users;

/// The signatures of this checkout.
fn signatures() -> Arc<Database> {
    static DATABASE: LazyLock<Arc<Database>> = LazyLock::new(|| {
        let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("sigdb/signatures"));
        let folder = above.find(|folder| folder.is_dir()).expect("the checkout has signatures");
        Arc::new(sigdb::compile_folder(&folder).expect("they compile"))
    });
    Arc::clone(&DATABASE)
}
