//! An element and what is in it.

/// An element. Its namespaces are resolved; the prefixes that it declares are kept, because replies repeat them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The namespace's URI; empty: none.
    pub namespace: String,
    /// The local name.
    pub name: String,
    /// In the order in which they are written, without declarations of namespaces.
    pub attributes: Vec<Attribute>,
    /// The namespaces that are declared here.
    pub declarations: Vec<Declaration>,
    /// What is in it; no two texts are neighbours.
    pub children: Vec<Node>,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The namespace's URI; empty: none.
    pub namespace: String,
    /// Its prefix as written; empty: none.
    pub prefix: String,
    /// The local name.
    pub name: String,
    /// The value, its references resolved.
    pub value: String,
}

/// `xmlns:prefix="uri"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The prefix; empty: the default namespace.
    pub prefix: String,
    /// The URI; empty: none.
    pub uri: String,
}

/// What is in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Characters.
    Text(String),
}

impl Element {
    /// An empty one.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned(), ..Self::default() }
    }

    /// The same with `text` in it.
    pub fn with_text(mut self, text: &str) -> Self {
        if !text.is_empty() {
            self.children.push(Node::Text(text.to_owned()));
        }
        self
    }

    /// The same with `child` behind what is in it.
    pub fn with(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// Whether it is of that name in that namespace.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// The elements in it.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element in it of that name, whatever its namespace.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|child| child.name == name)
    }

    /// Its own text, without white space before and behind it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for child in &self.children {
            if let Node::Text(part) = child {
                text.push_str(part);
            }
        }
        text.trim().to_owned()
    }

    /// Whether there are elements in it.
    pub fn has_elements(&self) -> bool {
        self.elements().next().is_some()
    }

    /// Whether text other than white space stands in it.
    pub fn has_text(&self) -> bool {
        self.children.iter().any(|child| matches!(child, Node::Text(text) if !text.trim().is_empty()))
    }

    /// The value of an attribute.
    pub fn attribute(&self, namespace: &str, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|one| one.namespace == namespace && one.name == name);
        found.map(|attribute| attribute.value.as_str())
    }
}
