//! The policy file described, from one source: the reader's kinds and limits, and the meanings beside them. A JSON Schema for
//! editors, a page for people, and an example.

mod example;
mod json;
mod meaning;
mod page;

#[cfg(test)]
mod tests;

pub use example::example;
pub use json::schema;
pub use page::page;

/// A section as a policy file has it: `[dataplane.timeouts]`, `[[rule]]`, `[ssl-policy.NAME]`.
fn head(key: &super::describe::Key) -> String {
    let path = key.path.replace("[]", "");
    if key.kinds.contains(&super::describe::Kind::Tables) { format!("[[{path}]]") } else { format!("[{path}]") }
}
