//! Links of Markdown, and the places that they can lead to.

use std::collections::HashMap;

/// A link in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The file, relative to the page; empty: the page itself.
    pub target: String,
    /// Behind `#`; empty: the whole.
    pub fragment: String,
}

/// The links to files and places; not those to other machines.
pub fn of(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for line in prose(text) {
        let mut rest = line.as_str();
        while let Some((_, behind)) = rest.split_once("](") {
            let Some((link, after)) = behind.split_once(')') else { break };
            rest = after;
            let elsewhere = ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme));
            if elsewhere {
                continue;
            }
            let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
            found.push(Link { target: target.to_owned(), fragment: fragment.to_owned() });
        }
    }
    found
}

/// Where fragments of this page may lead: its headings, and anchors of its own.
pub fn places(text: &str) -> Vec<String> {
    let mut places = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in prose(text) {
        for anchor in line.split("<a id=\"").skip(1) {
            places.extend(anchor.split('"').next().map(str::to_owned));
        }
        let level = line.chars().take_while(|&letter| letter == '#').count();
        if !(1..=6).contains(&level) || !line[level..].starts_with(' ') {
            continue;
        }
        let slug = slug(&line[level..]);
        let count = seen.entry(slug.clone()).and_modify(|count| *count += 1).or_insert(0);
        places.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
    }
    places
}

/// A heading's own anchor, as mdBook and the forges make it.
fn slug(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading.trim();
    // Of a link its text counts.
    while let Some((before, behind)) = rest.split_once("](") {
        text.push_str(before);
        rest = behind.split_once(')').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let letter = |letter: char| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
        _ => None,
    };
    text.chars().filter_map(letter).collect()
}

/// Pieces of code within the text.
pub fn code(text: &str) -> Vec<String> {
    let lines = lines(text).into_iter().filter(|line| !line.starts_with("    "));
    // A code may go on in the next line.
    let all = lines.collect::<Vec<_>>().join("\n");
    let paragraphs = all.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    paragraphs.map(|code| code.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The lines outside code blocks, without code in the line: of a heading that keeps its text.
fn prose(text: &str) -> Vec<String> {
    let plain = |line: &str| match line.trim_start().starts_with('#') {
        true => line.replace('`', ""),
        // Every second piece is code.
        false => line.split('`').step_by(2).collect::<Vec<_>>().join("code"),
    };
    lines(text).into_iter().map(plain).collect()
}

/// The lines outside code blocks.
fn lines(text: &str) -> Vec<&str> {
    let mut fence = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let marks = trimmed.chars().take_while(|&letter| letter == '`').count();
        if marks >= 3 {
            fence = match fence {
                None => Some(marks),
                Some(open) if marks >= open => None,
                open => open,
            };
            continue;
        }
        if fence.is_none() {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_headings_are_read_as_people_do() {
        let text = "# A *B* `c --d`\n[x](y.md#z), `[no](no)` [w](#v) [far](https://a.example)\n```\n[no](no)\n# No\n```\n## A B c --d\n<a id=\"q\"></a>\n## Same\n## Same\n";
        let link = |target: &str, fragment: &str| Link { target: target.into(), fragment: fragment.into() };
        assert_eq!(of(text), [link("y.md", "z"), link("", "v")]);
        assert_eq!(places(text), ["a-b-c---d", "a-b-c---d-1", "q", "same", "same-1"]);
    }
}
