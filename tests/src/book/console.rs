//! The commands of a page: blocks of `console`, with a prompt before each command and what it says behind it.

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// `console`: commands that are run.
    Run(Vec<Command>),
    /// `console,appliance`: commands that only a machine of the real kind has what they need for.
    Appliance(Vec<Command>),
    /// `console,example`: commands with the output of a machine in some state; that they exist is looked at.
    Example(Vec<Command>),
    /// Any other whose first line is `# NAME`, NAME a file's: the file.
    File(String, String),
}

/// A command with what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// As typed, its lines.
    pub text: String,
    /// What the page shows of its output.
    pub shown: Vec<String>,
}

impl Command {
    /// Whether the shell goes on while it runs.
    pub fn is_background(&self) -> bool {
        self.text.trim_end().ends_with('&')
    }

    /// Whether it only looks, so that it may be asked again.
    pub fn looks(&self) -> bool {
        let text = self
            .text
            .strip_prefix("ip netns exec ")
            .map_or(self.text.as_str(), |rest| rest.split_once(' ').map_or(rest, |(_, command)| command));
        let looking = [
            "ostiary show ",
            "target/release/ostiary show ",
            "ostiary audit show",
            "ostiary audit verify",
            "grep ",
            "cat ",
            "tail ",
            "curl ",
            "jq ",
        ];
        looking.iter().any(|start| text.starts_with(start))
    }
}

/// The blocks of a page, in order.
///
/// # Panics
/// Where a block has a tag that nobody knows, or begins without a command.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let strip = |line: &str| line.get(indent..).unwrap_or("").to_owned();
        let body: Vec<String> =
            lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).map(strip).collect();
        match info.trim() {
            "console" => blocks.push(Block::Run(commands(&body))),
            "console,appliance" => blocks.push(Block::Appliance(commands(&body))),
            "console,example" => blocks.push(Block::Example(commands(&body))),
            tag if tag.starts_with("console") => panic!("no such kind of block: {tag}"),
            _ => blocks.extend(named(&body)),
        }
    }
    blocks
}

/// A file, where the block begins with its name.
fn named(body: &[String]) -> Option<Block> {
    let name = body.first()?.strip_prefix("# ")?;
    let is_name = name.contains('.') && !name.contains([' ', '/']) && !name.ends_with('.');
    is_name.then(|| Block::File(name.to_owned(), body.join("\n") + "\n"))
}

fn commands(body: &[String]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut lines = body.iter();
    while let Some(line) = lines.next() {
        let Some(text) = line.strip_prefix("$ ").or_else(|| line.strip_prefix("# ")) else {
            let command = commands.last_mut().unwrap_or_else(|| panic!("output before a command: {line}"));
            command.shown.push(line.clone());
            continue;
        };
        let mut text = text.to_owned();
        while text.ends_with('\\') {
            text.push('\n');
            text.push_str(lines.next().expect("a command goes on in the next line"));
        }
        if let Some(end) = text.split_once("<<'").and_then(|(_, rest)| rest.split('\'').next()).map(str::to_owned) {
            for line in lines.by_ref() {
                text.push('\n');
                text.push_str(line);
                if *line == end {
                    break;
                }
            }
        }
        commands.push(Command { text, shown: Vec::new() });
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_what_they_say() {
        let text = "```console\n$ a \\\n  b\nsaid\n# cat > x <<'END'\n# no prompt\nEND\n$ c &\n```\n```toml\n# f.toml\nx = 1\n```\n```toml\n# a remark.\n```\n";
        let command = |text: &str, shown: &[&str]| Command {
            text: text.into(),
            shown: shown.iter().map(|&line| line.to_owned()).collect(),
        };
        let wanted =
            [command("a \\\n  b", &["said"]), command("cat > x <<'END'\n# no prompt\nEND", &[]), command("c &", &[])];
        let file = Block::File("f.toml".into(), "# f.toml\nx = 1\n".into());
        assert_eq!(blocks(text), [Block::Run(wanted.to_vec()), file]);
        assert!(wanted[2].is_background() && !wanted[0].is_background());
    }
}
