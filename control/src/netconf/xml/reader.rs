//! A message as a tree.
//!
//! Document types are refused, so no entity can be declared; what an entity or a character reference stands for is
//! resolved here. Depth and number of elements are limited.

use quick_xml::NsReader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{QName, ResolveResult};

use super::element::{Attribute, Declaration, Element, Node};

/// How deep elements may lie in each other.
const DEPTH_LIMIT: usize = 64;

/// Elements of a message at most.
pub const ELEMENT_LIMIT: usize = 65_536;

/// Attributes of an element at most.
const ATTRIBUTE_LIMIT: usize = 64;

/// Why a message is not XML that we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// The octets are no UTF-8.
    #[error("the message is not UTF-8")]
    NotUtf8,
    /// The text is no well-formed XML.
    #[error("not well-formed: {0}")]
    Malformed(String),
    /// It is XML, with something that NETCONF messages must not have.
    #[error("{0} is not allowed")]
    Refused(&'static str),
    /// It is larger than we take.
    #[error("more than {most} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
}

/// Reads a whole document: its root.
pub fn read(message: &[u8]) -> Result<Element, XmlError> {
    let text = std::str::from_utf8(message).map_err(|_| XmlError::NotUtf8)?;
    if let Some(wrong) = text.chars().find(|&letter| !super::writer::is_allowed(letter)) {
        return Err(malformed(format!("the character {} is none of XML 1.0's", wrong.escape_unicode())));
    }
    // Clients put line ends before the declaration, where XML has none.
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut tree = Tree::default();
    let mut is_first = true;
    loop {
        let event = reader.read_event().map_err(malformed)?;
        match event {
            Event::Start(start) => {
                let element = open(&reader, &start)?;
                tree.open(element)?;
            }
            Event::End(_) => tree.close(),
            Event::Empty(start) => {
                let element = open(&reader, &start)?;
                tree.open(element)?;
                tree.close();
            }
            Event::Text(text) => tree.text(&text.xml10_content())?,
            Event::CData(text) => tree.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().map_err(malformed)? {
                    Some(letter) => letter,
                    None => named(&reference.xml10_content())?,
                };
                tree.text(allowed(resolved)?.encode_utf8(&mut [0; 4]))?;
            }
            Event::Decl(declaration) if is_first => {
                let encoding = declaration.encoding().transpose().map_err(malformed)?;
                if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("utf-8")) {
                    return Err(XmlError::Refused("an encoding other than UTF-8"));
                }
            }
            Event::Decl(_) => return Err(malformed("an XML declaration within the document")),
            Event::PI(_) => return Err(XmlError::Refused("a processing instruction")),
            Event::DocType(_) => return Err(XmlError::Refused("a document type")),
            Event::Comment(_) => {}
            Event::Eof => break,
        }
        is_first = false;
    }
    tree.end()
}

/// The tree while it is read.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree {
    fn open(&mut self, element: Element) -> Result<(), XmlError> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(malformed("a second root"));
        }
        self.elements += 1;
        if self.elements > ELEMENT_LIMIT {
            return Err(XmlError::TooMuch { what: "elements", most: ELEMENT_LIMIT });
        }
        if self.open.len() == DEPTH_LIMIT {
            return Err(XmlError::TooMuch { what: "elements within each other", most: DEPTH_LIMIT });
        }
        self.open.push(element);
        Ok(())
    }

    /// The reader has compared the names.
    fn close(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        let Some(element) = self.open.last_mut() else {
            return if text.trim().is_empty() { Ok(()) } else { Err(malformed("text outside the root")) };
        };
        if text.is_empty() {
            return Ok(());
        }
        match element.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => element.children.push(Node::Text(text.to_owned())),
        }
        Ok(())
    }

    fn end(self) -> Result<Element, XmlError> {
        if let Some(open) = self.open.last() {
            return Err(malformed(format!("the end of <{}> is missing", open.name)));
        }
        self.root.ok_or_else(|| malformed("no element"))
    }
}

/// The element that `start` opens.
fn open(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let (namespace, local) = reader.resolver().resolve_element(start.name());
    let mut element = Element::new(&resolved(&namespace)?, name(local.as_ref())?);
    for attribute in start.attributes() {
        let attribute = attribute.map_err(malformed)?;
        if element.attributes.len() + element.declarations.len() == ATTRIBUTE_LIMIT {
            return Err(XmlError::TooMuch { what: "attributes of an element", most: ATTRIBUTE_LIMIT });
        }
        let value = attribute_value(&attribute.value)?;
        let key: QName<'_> = attribute.key;
        if key.as_namespace_binding().is_some() {
            let prefix = key.prefix().map_or("", |_| key.local_name().into_inner());
            element.declarations.push(Declaration { prefix: prefix.to_owned(), uri: value });
            continue;
        }
        let (namespace, local) = reader.resolver().resolve_attribute(key);
        let namespace = resolved(&namespace)?;
        let name = name(local.as_ref())?;
        if element.attributes.iter().any(|other| other.namespace == namespace && other.name == name) {
            return Err(malformed(format!("the attribute {name} stands twice")));
        }
        let prefix = key.prefix().map_or("", |prefix| prefix.into_inner()).to_owned();
        element.attributes.push(Attribute { namespace, prefix, name: name.to_owned(), value });
    }
    Ok(element)
}

/// An attribute's value with its references resolved and its white space as XML 1.0, section 3.3.3 has it.
fn attribute_value(raw: &str) -> Result<String, XmlError> {
    if raw.contains('<') {
        return Err(malformed("'<' within an attribute"));
    }
    let plain: String = raw.replace("\r\n", " ").replace(['\t', '\n', '\r'], " ");
    let value = unescape(&plain).map_err(malformed)?;
    value.chars().try_for_each(|letter| allowed(letter).map(|_| ()))?;
    Ok(value.into_owned())
}

/// A local name; the reader takes nearly anything for one.
fn name(text: &str) -> Result<&str, XmlError> {
    let begins = |letter: char| letter.is_alphabetic() || letter == '_';
    let goes_on = |letter: char| letter.is_alphanumeric() || "._-\u{b7}".contains(letter);
    match text.starts_with(begins) && text.chars().all(goes_on) {
        true => Ok(text),
        false => Err(malformed(format!("{text:?} is no name"))),
    }
}

fn resolved(namespace: &ResolveResult<'_>) -> Result<String, XmlError> {
    match namespace {
        ResolveResult::Bound(namespace) => {
            let uri: &str = namespace.0;
            Ok(unescape(uri).map_err(malformed)?.into_owned())
        }
        ResolveResult::Unbound => Ok(String::new()),
        ResolveResult::Unknown(prefix) => Err(malformed(format!("the prefix {prefix:?} is not declared"))),
    }
}

/// The five entities that XML has of itself.
fn named(name: &str) -> Result<char, XmlError> {
    match name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(malformed(format!("the entity {name} is not declared"))),
    }
}

fn allowed(letter: char) -> Result<char, XmlError> {
    match super::writer::is_allowed(letter) {
        true => Ok(letter),
        false => Err(malformed(format!("the character {} is none of XML 1.0's", letter.escape_unicode()))),
    }
}

fn malformed(why: impl ToString) -> XmlError {
    XmlError::Malformed(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Element, XmlError> {
        read(text.as_bytes())
    }

    #[test]
    fn prefixes_are_resolved() {
        let rpc = parse(
            "\n<?xml version=\"1.0\" encoding=\"UTF-8\"?><nc:rpc xmlns:nc=\"urn:n\" message-id=\"1\"><config>\
             <a nc:operation=\"delete\"/></config></nc:rpc>\n",
        )
        .unwrap();
        assert!(rpc.is("urn:n", "rpc"));
        assert_eq!(rpc.attribute("", "message-id"), Some("1"));
        assert_eq!(rpc.declarations, [Declaration { prefix: "nc".to_owned(), uri: "urn:n".to_owned() }]);
        let a = rpc.child("config").and_then(|config| config.child("a")).unwrap();
        assert_eq!((a.namespace.as_str(), a.attribute("urn:n", "operation")), ("", Some("delete")));
    }

    #[test]
    fn references_are_characters() {
        let root = parse("<a b='&lt;&#65;&#x42;'>x &lt;&amp;&gt;&quot;&apos;&#x263a;<![CDATA[<y>]]></a>").unwrap();
        assert_eq!(root.text(), "x <&>\"'☺<y>");
        assert_eq!(root.attribute("", "b"), Some("<AB"));
        assert_eq!(root.children.len(), 1);
    }

    #[test]
    fn what_netconf_does_not_have_is_refused() {
        assert_eq!(parse("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), Err(XmlError::Refused("a document type")));
        assert_eq!(parse("<a><?php x?></a>"), Err(XmlError::Refused("a processing instruction")));
        let latin = "<?xml version='1.0' encoding='iso-8859-1'?><a/>";
        assert_eq!(parse(latin), Err(XmlError::Refused("an encoding other than UTF-8")));
        assert_eq!(read(b"<a>\xff</a>"), Err(XmlError::NotUtf8));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for wrong in [
            "",
            "x",
            "<a>",
            "<a><b></a>",
            "<a></a><b/>",
            "<a/>x",
            "<a>&x;</a>",
            "<a>&#0;</a>",
            "<a>&#xd800;</a>",
            "<a>&#x1;</a>",
            "<a>\u{1}</a>",
            "<a>\u{ffff}</a>",
            "<a x='1' x='2'/>",
            "<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>",
            "<p:a/>",
            "<a p:x='1'/>",
            "<a x='&y;'/>",
            "<a x='<'/>",
            "<1a/>",
            "<a b c/>",
            "<a>x<?xml version='1.0'?></a>",
        ] {
            assert!(matches!(parse(wrong), Err(XmlError::Malformed(_) | XmlError::Refused(_))), "{wrong:?}");
        }
    }

    #[test]
    fn size_is_limited() {
        let deep = |levels: usize| "<a>".repeat(levels) + &"</a>".repeat(levels);
        assert!(parse(&deep(64)).is_ok());
        assert!(matches!(parse(&deep(65)), Err(XmlError::TooMuch { most: 64, .. })));
        let wide = format!("<a>{}</a>", "<b/>".repeat(ELEMENT_LIMIT));
        assert!(matches!(parse(&wide), Err(XmlError::TooMuch { most: ELEMENT_LIMIT, .. })));
        let attributes: String = (0..65).map(|number| format!(" x{number}=''")).collect();
        assert!(matches!(parse(&format!("<a{attributes}/>")), Err(XmlError::TooMuch { most: 64, .. })));
    }
}
