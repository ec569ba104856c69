//! XML as text. Elements are written without prefixes: a namespace is declared where it begins.

use super::element::{Element, Node};

/// What stands before each message.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// XML being written.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
    /// The elements that are open: name and default namespace.
    open: Vec<(String, String)>,
    /// Whether `>` of the last start is not yet written.
    is_start: bool,
}

impl Writer {
    /// One that has written nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an element.
    pub fn start(&mut self, namespace: &str, name: &str) -> &mut Self {
        self.end_start();
        self.text.push('<');
        self.text.push_str(name);
        let around = self.open.last().map_or("", |(_, namespace)| namespace.as_str());
        if around != namespace {
            self.text.push_str(" xmlns=\"");
            escape(&mut self.text, namespace, true);
            self.text.push('"');
        }
        self.open.push((name.to_owned(), namespace.to_owned()));
        self.is_start = true;
        self
    }

    /// An attribute of the element that was just opened; `name` may have a prefix that was declared.
    pub fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        debug_assert!(self.is_start, "attributes come before content");
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        escape(&mut self.text, value, true);
        self.text.push('"');
        self
    }

    /// Characters. What XML 1.0 cannot carry becomes U+FFFD.
    pub fn text(&mut self, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.end_start();
            escape(&mut self.text, text, false);
        }
        self
    }

    /// Closes the element that was opened last.
    pub fn end(&mut self) -> &mut Self {
        let Some((name, _)) = self.open.pop() else { return self };
        if std::mem::take(&mut self.is_start) {
            self.text.push_str("/>");
        } else {
            self.text.push_str("</");
            self.text.push_str(&name);
            self.text.push('>');
        }
        self
    }

    /// An element with text only.
    pub fn leaf(&mut self, namespace: &str, name: &str, text: &str) -> &mut Self {
        self.start(namespace, name).text(text).end()
    }

    /// A tree.
    pub fn element(&mut self, element: &Element) -> &mut Self {
        self.start(&element.namespace, &element.name);
        for (number, attribute) in element.attributes.iter().enumerate() {
            if attribute.namespace.is_empty() {
                self.attribute(&attribute.name, &attribute.value);
            } else {
                self.attribute(&format!("xmlns:a{number}"), &attribute.namespace);
                self.attribute(&format!("a{number}:{}", attribute.name), &attribute.value);
            }
        }
        for declaration in element.declarations.iter().filter(|declaration| !declaration.prefix.is_empty()) {
            self.attribute(&format!("xmlns:{}", declaration.prefix), &declaration.uri);
        }
        for child in &element.children {
            match child {
                Node::Element(child) => self.element(child),
                Node::Text(text) => self.text(text),
            };
        }
        self.end()
    }

    /// What was written; all elements must be closed.
    pub fn finish(self) -> String {
        debug_assert!(self.open.is_empty(), "all elements are closed");
        self.text
    }

    fn end_start(&mut self) {
        if std::mem::take(&mut self.is_start) {
            self.text.push('>');
        }
    }
}

/// Whether XML 1.0 can carry a character (its production 2).
pub(super) fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn escape(out: &mut String, text: &str, is_attribute: bool) {
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' if is_attribute => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' if is_attribute => out.push_str("&#9;"),
            '\n' if is_attribute => out.push_str("&#10;"),
            letter if is_allowed(letter) => out.push(letter),
            _ => out.push('\u{fffd}'),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::element::{Attribute, Declaration};
    use super::super::reader::read;
    use super::*;

    #[test]
    fn namespaces_are_declared_where_they_begin() {
        let mut writer = Writer::new();
        writer.start("urn:a", "x").attribute("id", "a\"<\n").start("urn:a", "y").end();
        writer.start("urn:b", "z").text("a > b & c\u{0}").end().leaf("", "w", "").end();
        let expected = "<x xmlns=\"urn:a\" id=\"a&quot;&lt;&#10;\"><y/><z xmlns=\"urn:b\">a &gt; b &amp; c\u{fffd}</z>\
                        <w xmlns=\"\"/></x>";
        assert_eq!(writer.finish(), expected);
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(any::<char>().prop_filter("XML 1.0's", |&letter| is_allowed(letter)), 1..12)
            .prop_map(|letters| letters.into_iter().collect())
    }

    fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
        let one = ("[a-c]", prop_oneof![Just(String::new()), Just("urn:x".to_owned())], text());
        proptest::collection::vec(one, 0..3).prop_map(|list| {
            let mut attributes: Vec<Attribute> = Vec::new();
            for (name, namespace, value) in list {
                if attributes.iter().all(|other| (&other.name, &other.namespace) != (&name, &namespace)) {
                    attributes.push(Attribute { namespace, prefix: String::new(), name, value });
                }
            }
            attributes
        })
    }

    fn element() -> impl Strategy<Value = Element> {
        let leaf = ("[a-z][a-z0-9._-]{0,6}", "(urn:[ab&<])?", attributes(), proptest::option::of(text()));
        let leaf = leaf.prop_map(|(name, namespace, attributes, text)| Element {
            attributes,
            ..Element::new(&namespace, &name).with_text(&text.unwrap_or_default())
        });
        leaf.prop_recursive(4, 30, 4, |inner| {
            ("[a-z]{1,4}", "(urn:[ab])?", attributes(), proptest::collection::vec(inner, 0..4)).prop_map(
                |(name, namespace, attributes, children)| {
                    let children = children.into_iter().map(Node::Element).collect();
                    Element { attributes, children, ..Element::new(&namespace, &name) }
                },
            )
        })
    }

    /// Without prefixes, which are not what a tree says.
    fn plain(mut element: Element) -> Element {
        element.declarations = Vec::<Declaration>::new();
        for attribute in &mut element.attributes {
            attribute.prefix.clear();
        }
        for child in &mut element.children {
            if let Node::Element(child) = child {
                *child = plain(std::mem::take(child));
            }
        }
        element
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(element in element()) {
            let mut writer = Writer::new();
            writer.element(&element);
            let text = writer.finish();
            prop_assert!(!text.contains("]]>"));
            let read = read(text.as_bytes());
            prop_assert_eq!(read.map(plain), Ok(element), "{}", text);
        }

        #[test]
        fn any_text_is_borne(text in ".{0,80}") {
            let _ = read(text.as_bytes());
            let _ = read(format!("<a {text}>{text}</a>").as_bytes());
        }
    }
}
