//! Manual pages, made of the same text as `--help`.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::arguments::Arguments;
use super::output::Failure;
use crate::config::DEFAULT_FILE;

/// `ostiary man`: writes the page of the program and one of each command, at every depth.
pub(super) fn write(folder: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::Running(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    for (name, text) in pages(Arguments::command()).map_err(failed)? {
        fs::write(folder.join(name), text).map_err(failed)?;
    }
    Ok(())
}

/// The pages, each with the name of its file.
fn pages(mut program: Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    program.build();
    let mut pages = Vec::new();
    let mut waiting = vec![(program, None)];
    while let Some((command, parent)) = waiting.pop() {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
        waiting.extend(shown.map(|below| (below.clone(), Some(name.clone()))));
        pages.push((format!("{name}.{SECTION}"), page(&command, &name, parent.as_deref())?));
    }
    pages.sort();
    Ok(pages)
}

fn page(command: &Command, name: &str, parent: Option<&str>) -> io::Result<Vec<u8>> {
    let source = concat!("ostiary ", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone()).title(name).section(SECTION).source(source).manual("Ostiary");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        page.render_options_section(&mut text)?;
    }
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        page.render_subcommands_section(&mut text)?;
    }
    let mut rest = Roff::default();
    if let Some(help) = command.get_after_long_help().or(command.get_after_help()) {
        closing(&mut rest, &help.to_string());
    }
    rest.control("SH", ["FILES"]);
    rest.text([roman(format!("{DEFAULT_FILE}: the policy file, unless another is named"))]);
    rest.control("SH", ["SEE ALSO"]);
    let handbook = "/usr/share/doc/ostiary/README.md";
    rest.text([roman(match parent {
        Some(parent) => format!("{parent}({SECTION}), {handbook}"),
        None => handbook.to_owned(),
    })]);
    rest.to_writer(&mut text)?;
    Ok(text)
}

/// What stands below the options in `--help`: paragraphs, of which some begin with a line that names them.
fn closing(page: &mut Roff, help: &str) {
    for paragraph in help.split("\n\n") {
        let (head, lines) = match paragraph.split_once('\n') {
            Some((head, lines)) if head.ends_with(':') => (head.trim_end_matches(':'), lines),
            _ => ("Notes", paragraph),
        };
        let head = if head == "Exit codes" { "Exit status" } else { head };
        page.control("SH", [head.to_uppercase().as_str()]);
        // As they stand: their columns are aligned.
        page.control("nf", []);
        for line in lines.lines() {
            page.text([roman(line)]);
        }
        page.control("fi", []);
    }
}

/// User commands.
const SECTION: &str = "1";

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(name: &str) -> String {
        let pages = pages(Arguments::command()).unwrap();
        let (_, text) = pages.into_iter().find(|(found, _)| found == name).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_command_has_a_page_that_is_listed_by_the_one_above() {
        let pages = pages(Arguments::command()).unwrap();
        let named = |name: &str| pages.iter().any(|(found, _)| found == name);
        let mut program = Arguments::command();
        program.build();
        for command in program.get_subcommands() {
            assert!(named(&format!("ostiary-{}.1", command.get_name())), "{}", command.get_name());
        }
        assert!(named("ostiary.1") && named("ostiary-show-access-buffer.1"), "at every depth");
        assert!(page_of("ostiary.1").contains(r"ostiary\-commit(1)"));
        assert!(page_of("ostiary-commit.1").contains(".SH \"SEE ALSO\"\nostiary(1), "));
    }

    #[test]
    fn examples_and_exit_codes_are_sections_of_their_own() {
        let page = page_of("ostiary.1");
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
        assert!(at(".SH EXAMPLES\n.nf\n") < at("ostiary replay \\-\\-json day.pcap"));
        assert!(at(".SH \"EXIT STATUS\"\n.nf\n") < at("  2  bad input"));
        assert!(!page.contains("EXTRA"));
    }

    #[test]
    fn options_that_hold_below_are_on_the_pages_below() {
        assert!(page_of("ostiary-show-sessions.1").contains("\\fB\\-\\-socket\\fR"));
    }
}
