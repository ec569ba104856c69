//! Errors that a client is told, as RFC 6241, section 4.3 and appendix A have them.

use super::xml::{Element, Writer};
use super::{BASE, YANG};

/// Whose matter an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The message's form.
    Rpc,
    /// The protocol's operations.
    Protocol,
    /// What the operations are about.
    Application,
}

/// What kind of error it is (appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Something that is needed is in use.
    InUse,
    /// A value is none that can stand there.
    InvalidValue,
    /// The message is larger than we take.
    TooBig,
    /// An attribute is missing.
    MissingAttribute,
    /// An attribute's value is none that can stand there.
    BadAttribute,
    /// An attribute is none that can stand there.
    UnknownAttribute,
    /// An element is missing.
    MissingElement,
    /// An element's value is none that can stand there.
    BadElement,
    /// An element is none that can stand there.
    UnknownElement,
    /// A namespace is none that can stand there.
    UnknownNamespace,
    /// The user may not.
    AccessDenied,
    /// Another holds the lock.
    LockDenied,
    /// There is no room for it.
    ResourceDenied,
    /// What is to be created is there.
    DataExists,
    /// What is to be deleted is not there.
    DataMissing,
    /// It is not implemented.
    OperationNotSupported,
    /// Something else.
    OperationFailed,
    /// The message is no XML.
    MalformedMessage,
}

impl Tag {
    const ALL: &[(Self, &str)] = &[
        (Self::InUse, "in-use"),
        (Self::InvalidValue, "invalid-value"),
        (Self::TooBig, "too-big"),
        (Self::MissingAttribute, "missing-attribute"),
        (Self::BadAttribute, "bad-attribute"),
        (Self::UnknownAttribute, "unknown-attribute"),
        (Self::MissingElement, "missing-element"),
        (Self::BadElement, "bad-element"),
        (Self::UnknownElement, "unknown-element"),
        (Self::UnknownNamespace, "unknown-namespace"),
        (Self::AccessDenied, "access-denied"),
        (Self::LockDenied, "lock-denied"),
        (Self::ResourceDenied, "resource-denied"),
        (Self::DataExists, "data-exists"),
        (Self::DataMissing, "data-missing"),
        (Self::OperationNotSupported, "operation-not-supported"),
        (Self::OperationFailed, "operation-failed"),
        (Self::MalformedMessage, "malformed-message"),
    ];

    /// As it is written.
    pub fn text(self) -> &'static str {
        Self::ALL.iter().find(|(tag, _)| *tag == self).map_or("", |(_, text)| text)
    }

    /// The tag that is written so.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, word)| *word == text).map(|(tag, _)| *tag)
    }
}

/// One `rpc-error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// Whose matter it is.
    pub layer: Layer,
    /// What kind it is.
    pub tag: Tag,
    /// What an operator reads.
    pub message: String,
    /// Where in the configuration, as an XPath expression with the prefix `ost`.
    pub path: Option<String>,
    /// Our own word for it.
    pub app_tag: Option<String>,
    /// `error-info`: names and texts.
    pub info: Vec<(&'static str, String)>,
}

impl RpcError {
    /// An error of the protocol's operations.
    pub fn protocol(tag: Tag, message: impl Into<String>) -> Self {
        Self { layer: Layer::Protocol, tag, message: message.into(), path: None, app_tag: None, info: Vec::new() }
    }

    /// An error of what they are about.
    pub fn application(tag: Tag, message: impl Into<String>) -> Self {
        Self { layer: Layer::Application, ..Self::protocol(tag, message) }
    }

    /// An error of the message's form.
    pub fn rpc(tag: Tag, message: impl Into<String>) -> Self {
        Self { layer: Layer::Rpc, ..Self::protocol(tag, message) }
    }

    /// What is not implemented.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::protocol(Tag::OperationNotSupported, message)
    }

    /// An element that should be there and is not.
    pub fn missing(element: &str) -> Self {
        Self::protocol(Tag::MissingElement, format!("<{element}> is missing")).about("bad-element", element)
    }

    /// An element that is unknown where it stands; of a foreign namespace, that is said.
    pub fn unknown(element: &Element) -> Self {
        if element.namespace != BASE && element.namespace != YANG && !element.namespace.is_empty() {
            let message = format!("the namespace {} of <{}> is unknown here", element.namespace, element.name);
            return Self::protocol(Tag::UnknownNamespace, message)
                .about("bad-element", &element.name)
                .about("bad-namespace", &element.namespace);
        }
        Self::protocol(Tag::UnknownElement, format!("<{}> is unknown here", element.name))
            .about("bad-element", &element.name)
    }

    /// The same with a further `error-info`.
    pub fn about(mut self, name: &'static str, text: &str) -> Self {
        self.info.push((name, text.to_owned()));
        self
    }

    /// The same at a place.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Writes it.
    pub fn write(&self, writer: &mut Writer) {
        let layer = match self.layer {
            Layer::Rpc => "rpc",
            Layer::Protocol => "protocol",
            Layer::Application => "application",
        };
        writer.start(BASE, "rpc-error");
        writer.leaf(BASE, "error-type", layer);
        writer.leaf(BASE, "error-tag", self.tag.text());
        writer.leaf(BASE, "error-severity", "error");
        if let Some(tag) = &self.app_tag {
            writer.leaf(BASE, "error-app-tag", tag);
        }
        if let Some(path) = &self.path {
            writer.start(BASE, "error-path").attribute("xmlns:ost", YANG).text(path).end();
        }
        writer.start(BASE, "error-message").attribute("xml:lang", "en").text(&self.message).end();
        if !self.info.is_empty() {
            writer.start(BASE, "error-info");
            for (name, text) in &self.info {
                writer.leaf(BASE, name, text);
            }
            writer.end();
        }
        writer.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_elements_of_the_rfc_in_their_order() {
        let mut writer = Writer::new();
        RpcError::protocol(Tag::LockDenied, "held by 4")
            .about("session-id", "4")
            .at("/ost:firewall")
            .write(&mut writer);
        let text = writer.finish();
        let expected = "<rpc-error xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><error-type>protocol</error-type>\
            <error-tag>lock-denied</error-tag><error-severity>error</error-severity>\
            <error-path xmlns:ost=\"urn:ostiary:yang:ostiary\">/ost:firewall</error-path>\
            <error-message xml:lang=\"en\">held by 4</error-message>\
            <error-info><session-id>4</session-id></error-info></rpc-error>";
        assert_eq!(text, expected);
    }

    #[test]
    fn tags_are_read_as_they_are_written() {
        for (tag, text) in Tag::ALL {
            assert_eq!((tag.text(), Tag::read(text)), (*text, Some(*tag)));
        }
        assert_eq!(Tag::read("needs-restart"), None);
    }
}
