//! XML as NETCONF needs it: small trees with resolved namespaces, read with limits and written with escapes.

mod element;
mod reader;
mod writer;

pub use element::{Attribute, Declaration, Element, Node};
pub use reader::{ELEMENT_LIMIT, XmlError, read};
pub use writer::{DECLARATION, Writer};
