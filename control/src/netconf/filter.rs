//! Subtree filters (RFC 6241, section 6).

use super::xml::{Element, Node};
use super::{BASE, NOTIFICATION};

/// What members of lists begin with. They are given with whatever else of a member is selected (RFC 7950, section 7.8.2 has
/// no member without its key).
pub const KEYS: &[&str] = &["name", "port", "number", "pool", "worker", "id"];

/// What the filter selects of `data`, the trees at the top.
pub fn select(filter: &Element, data: Vec<Element>) -> Vec<Element> {
    let wanted: Vec<&Element> = filter.elements().collect();
    data.into_iter().filter_map(|tree| within(&wanted, &tree)).collect()
}

/// Whether a node of a filter is about `data`. One in no namespace is about any (section 6.2.1), and so is one that got the
/// request's namespace because its writer declared none.
fn is_about(filter: &Element, data: &Element) -> bool {
    let is_any = ["", BASE, NOTIFICATION].contains(&filter.namespace.as_str());
    filter.name == data.name && (is_any || filter.namespace == data.namespace)
}

/// Whether the data has the attributes that the filter names. Ours has none.
fn has_attributes(filter: &Element, data: &Element) -> bool {
    filter.attributes.iter().all(|wanted| data.attribute(&wanted.namespace, &wanted.name) == Some(&wanted.value))
}

/// Content match: a leaf with text.
fn is_match(filter: &Element) -> bool {
    !filter.has_elements() && filter.has_text()
}

fn within(filters: &[&Element], data: &Element) -> Option<Element> {
    let mut deeper: Vec<&Element> = Vec::new();
    let mut matches: Vec<&Element> = Vec::new();
    for filter in filters.iter().filter(|filter| is_about(filter, data) && has_attributes(filter, data)) {
        if is_match(filter) {
            if filter.text() == data.text() && !data.has_elements() {
                return Some(data.clone());
            }
            continue;
        }
        let (exact, others): (Vec<&Element>, Vec<&Element>) = filter.elements().partition(|child| is_match(child));
        let holds = |wanted: &&Element| {
            data.elements()
                .any(|child| is_about(wanted, child) && wanted.text() == child.text() && !child.has_elements())
        };
        if !exact.iter().all(holds) {
            continue;
        }
        if others.is_empty() {
            return Some(data.clone());
        }
        deeper.extend(others);
        matches.extend(exact);
    }
    if deeper.is_empty() {
        return None;
    }
    let mut selected = Element { children: Vec::new(), ..data.clone() };
    let mut is_any = false;
    for (place, child) in data.elements().enumerate() {
        let is_key = place == 0 && KEYS.contains(&child.name.as_str()) && !child.has_elements();
        let is_matched = matches.iter().any(|wanted| is_about(wanted, child) && wanted.text() == child.text());
        if let Some(found) = within(&deeper, child) {
            selected.children.push(Node::Element(found));
            is_any = true;
        } else if is_key || is_matched {
            selected.children.push(Node::Element(child.clone()));
        }
    }
    is_any.then_some(selected)
}

#[cfg(test)]
mod tests {
    use super::super::xml::{Writer, read};
    use super::*;

    const DATA: &str = "<top xmlns='urn:a'><rule><name>a</name><action>permit</action><source>x</source><source>y</source>\
        </rule><rule><name>b</name><action>deny</action></rule><nat><name>a</name><hold>1</hold></nat></top>";

    fn selected(filter: &str) -> String {
        let filter = read(format!("<filter>{filter}</filter>").as_bytes()).unwrap();
        let mut text = String::new();
        for tree in select(&filter, vec![read(DATA.as_bytes()).unwrap()]) {
            let mut writer = Writer::new();
            writer.element(&tree);
            text.push_str(&writer.finish());
        }
        text.replace(" xmlns=\"urn:a\"", "")
    }

    #[test]
    fn nothing_is_selected_by_nothing() {
        assert_eq!(selected(""), "");
        assert_eq!(selected("<top><none/></top>"), "");
        assert_eq!(selected("<top xmlns='urn:b'/>"), "");
        assert_eq!(selected("<top><rule x='1'/></top>"), "");
    }

    #[test]
    fn an_empty_node_selects_what_is_below() {
        assert_eq!(selected("<top/>"), DATA.replace(" xmlns='urn:a'", ""));
        assert_eq!(selected("<top xmlns='urn:a'><nat/></top>"), "<top><nat><name>a</name><hold>1</hold></nat></top>");
    }

    #[test]
    fn members_come_with_their_keys() {
        let expected = "<top><rule><name>a</name><action>permit</action></rule><rule><name>b</name><action>deny</action></rule></top>";
        assert_eq!(selected("<top><rule><action/></rule></top>"), expected);
        assert_eq!(selected("<top><rule><hold/></rule></top>"), "");
    }

    #[test]
    fn text_has_to_match() {
        assert_eq!(
            selected("<top><rule><name>b</name></rule></top>"),
            "<top><rule><name>b</name><action>deny</action></rule></top>"
        );
        assert_eq!(
            selected("<top><rule><name> a </name><source/></rule></top>"),
            "<top><rule><name>a</name><source>x</source><source>y</source></rule></top>"
        );
        assert_eq!(
            selected("<top><rule><action>deny</action><name/></rule></top>"),
            "<top><rule><name>b</name><action>deny</action></rule></top>"
        );
        assert_eq!(selected("<top><rule><name>b</name><action>permit</action></rule></top>"), "");
    }

    #[test]
    fn several_filters_are_united() {
        assert_eq!(
            selected("<top><rule><name>b</name></rule></top><top><nat><hold/></nat></top>"),
            "<top><rule><name>b</name><action>deny</action></rule><nat><name>a</name><hold>1</hold></nat></top>"
        );
    }
}
