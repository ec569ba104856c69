//! Files that the text of a configuration names and that are read while it runs.

use std::path::PathBuf;

use toml::{Table, Value};

/// Keys whose text, or list of texts, are files that are read.
const KEYS: [&str; 9] =
    ["ca", "certificate", "client-ca", "crl", "file", "identity", "key", "known-hosts", "signatures"];

/// Where they are named, and what they are called. What is no TOML names none.
pub(super) fn files(text: &str) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    if let Ok(table) = text.parse::<Table>() {
        find("", &Value::Table(table), &mut files);
    }
    files
}

fn find(path: &str, value: &Value, files: &mut Vec<(String, PathBuf)>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match value {
                    Value::String(file) if names_file(key) => files.push((below, file.into())),
                    Value::Array(list) if names_file(key) && list.iter().all(Value::is_str) => {
                        let list = list.iter().filter_map(Value::as_str);
                        files.extend(list.map(|file| (below.clone(), file.into())));
                    }
                    _ => find(&below, value, files),
                }
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                let name = value.get("name").and_then(Value::as_str);
                let name = name.map_or_else(|| (at + 1).to_string(), str::to_owned);
                find(&format!("{path}[{name}]"), value, files);
            }
        }
        _ => {}
    }
}

fn names_file(key: &str) -> bool {
    key.ends_with("-file") || KEYS.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_file_is_found_by_its_key() {
        let text = r#"
            application-identification = { signatures = "/s/a.sigdb" }
            log.im.pseudonym-key-file = "/k/p"
            user-group.vip = { file = "/g/vip" }
            audit = { file = [{ name = "ssh", select = ["audit"] }], sftp = { identity = "/i/id", known-hosts = "/i/known" } }
            ssl-policy.one = { ca = "/c/ca.pem", crl = ["/c/1.crl", "/c/2.crl"] }
            [[access.nas]]
            name = "bras"
            secret-file = "/k/bras"
            [[rule]]
            name = "file"
        "#;
        let found = files(text);
        let found: Vec<_> = found.iter().map(|(key, path)| format!("{key} {}", path.display())).collect();
        assert_eq!(
            found,
            [
                "access.nas[bras].secret-file /k/bras",
                "application-identification.signatures /s/a.sigdb",
                "audit.sftp.identity /i/id",
                "audit.sftp.known-hosts /i/known",
                "log.im.pseudonym-key-file /k/p",
                "ssl-policy.one.ca /c/ca.pem",
                "ssl-policy.one.crl /c/1.crl",
                "ssl-policy.one.crl /c/2.crl",
                "user-group.vip.file /g/vip",
            ]
        );
        assert!(files("no toml").is_empty());
    }
}
