//! What a NETCONF client may send: octets into messages, messages into trees, trees into edits and back.

use control::netconf::config_xml::to_xml;
use control::netconf::edit::{Operation, document, edits};
use control::netconf::framing::{Decoder, Framing};
use control::netconf::xml::{Element, Node, Writer, read};
use control::netconf::{BASE, filter};

/// The first octet says how messages are told apart and how the rest is cut.
pub fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut decoder = Decoder::new();
    decoder.switch(if first & 1 == 0 { Framing::EndOfMessage } else { Framing::Chunked });
    for part in rest.chunks(usize::from(first >> 1) + 1) {
        decoder.push(part);
        loop {
            match decoder.message() {
                Ok(Some(octets)) => message(&octets),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    message(rest);
}

fn message(octets: &[u8]) {
    let Ok(tree) = read(octets) else { return };
    let mut writer = Writer::new();
    writer.element(&tree);
    let text = writer.finish();
    assert!(!text.contains("]]>"), "the end of a message within one");
    // Attributes with prefixes get declarations, of which an element has only so many.
    match read(text.as_bytes()) {
        Ok(again) => assert_eq!(plain(again), plain(tree.clone())),
        Err(error) => assert!(error.to_string().starts_with("more than"), "{error}: {text}"),
    }
    filter::select(&tree, vec![tree.clone()]);
    for default in [Operation::Merge, Operation::Replace, Operation::None] {
        let _ = edits(&tree, default);
    }
    if let Ok(file) = document(&tree) {
        let again = document(&Element::new(BASE, "config").with(to_xml(&file)));
        assert_eq!(again.expect("what was read once is read again"), file);
    }
}

/// Without what is not the tree's own: prefixes and declarations.
fn plain(mut element: Element) -> Element {
    element.declarations.clear();
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
