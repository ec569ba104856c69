//! Records as IPFIX (RFC 7011): the binary format.
//!
//! One template a kind of record and address family, never both families in one (collectors show the wrong one as zero).
//! Elements are IANA's wherever there is one that means the same. What there is none for has an element of our own under
//! [`ENTERPRISE`], and type-information records (RFC 5610) tell collectors its name, type, unit, range and meaning.

mod element;
mod encoder;
mod field;
mod flow;
mod page;
mod statistics;
mod template;
mod type_information;
mod values;

pub use element::{DataType, OWN, OwnElement, Semantics};
pub use encoder::{Encoder, MIN_LIMIT, Outcome};
pub use field::Field;
pub use page::page;
pub use statistics::NotSent;
pub use template::{AccessVersion, Template};

/// The private enterprise number of our own elements and of the structured data of RFC 5424.
///
/// No number is assigned to this project: this is the one that RFC 5612 sets aside for documentation. A network in which
/// another product uses it too has to tell them apart by observation domain.
pub const ENTERPRISE: u32 = 32_473;

/// The enterprise number under which an element counts in the reverse direction of a flow (RFC 5103, 6.1).
const REVERSE: u32 = 29_305;

/// Names of rules are cut at this many octets, between two characters; accounts never are, as they have 128 at most.
const LONG_TEXT: usize = 128;
/// All other texts are cut at this many.
const SHORT_TEXT: usize = 64;
