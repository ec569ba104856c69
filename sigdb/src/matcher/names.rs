//! Names of hosts and servers.

/// A pattern behind `!` excludes what others would take.
pub(super) fn any_name(patterns: &[String], name: &[u8]) -> bool {
    let fits = |pattern: &str| match pattern.strip_prefix('*') {
        Some(suffix) => {
            name.len() > suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
        }
        None => name.eq_ignore_ascii_case(pattern.as_bytes()),
    };
    let excluded = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(fits);
    !excluded && patterns.iter().any(|pattern| fits(pattern))
}
