//! `ostiary doctor`: what is missing for the firewall to run well, and the command that mends it.

use std::path::Path;

use super::arguments::DoctorOptions;
use super::output::{Failure, Output, Style, count, paint, visible};
use crate::config::{self, Compiled, Purpose};
use crate::doctor::{Examination, Finding, Hands, Machine, Running, Severity};

pub(super) fn doctor(options: &DoctorOptions, output: &mut Output) -> Result<(), Failure> {
    let hands = Hands::here();
    let machine = Machine::at(options.root.as_deref().unwrap_or(Path::new("/")));
    // A recorded machine has other cores, files and groups than this.
    let purpose = if options.root.is_some() { Purpose::Replay } else { Purpose::Run };
    let (config, faults) = match config::load(&options.config, purpose) {
        Ok((compiled, _)) => (Some(compiled), 0),
        Err(faults) => (None, faults.len()),
    };
    let running = config.as_ref().filter(|_| options.root.is_none()).and_then(Running::ask);
    let (file, config, running) = (options.config.as_path(), config.as_ref(), running.as_ref());
    let examination = Examination { machine: &machine, file, config, running, hands: &hands };
    let mut findings = examination.findings();
    if faults > 0 {
        findings.insert(0, Finding::of_file(file, faults, &hands));
    }
    if options.json {
        findings.iter().try_for_each(|finding| output.json(finding))?;
    } else {
        print(&findings, config, output)?;
        summary(&findings, options, output)?;
    }
    output.finish()?;
    if findings.iter().any(|finding| finding.severity == Severity::Fault) {
        return Err(Failure::InputSaid);
    }
    Ok(())
}

/// Subject by subject: the machine, then each port. What is fine takes a line.
fn print(findings: &[Finding], config: Option<&Compiled>, output: &mut Output) -> Result<(), Failure> {
    let width = findings.iter().map(|finding| finding.topic.len()).max().unwrap_or(0);
    let mut subject = None;
    for finding in findings {
        if subject != Some(&finding.port) {
            subject = Some(&finding.port);
            let title = match &finding.port {
                None => "machine".to_owned(),
                Some(name) => {
                    let ports = config.iter().flat_map(|config| &config.dataplane.ports);
                    let device = ports.filter(|port| *port.name == **name).map(|port| port.device.to_string());
                    format!("port {name}{}", device.map(|device| format!(" ({device})")).collect::<String>())
                }
            };
            output.line(&paint(output.colour(), Style::Bold, &visible(&title)))?;
        }
        let style = match finding.severity {
            Severity::Fine => Style::Good,
            Severity::Warning => Style::Odd,
            Severity::Fault => Style::Bad,
        };
        let word = format!("{:<7}", finding.severity.text());
        let word = paint(output.colour(), style, &word);
        output.line(&format!("  {word}  {:<width$}  {}", finding.topic, visible(&finding.seen)))?;
        let file = if finding.severity == Severity::Fine { "" } else { finding.file.as_str() };
        for (name, text) in [("in:", file), ("expected:", &finding.expected), ("to do:", &finding.command)] {
            if !text.is_empty() {
                output.line(&format!("           {name:<9} {}", visible(text)))?;
            }
        }
    }
    Ok(())
}

fn summary(findings: &[Finding], options: &DoctorOptions, output: &mut Output) -> Result<(), Failure> {
    let number = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (faults, warnings) = (number(Severity::Fault), number(Severity::Warning));
    let word = if faults > 0 {
        paint(output.colour(), Style::Bad, "not ready")
    } else {
        paint(output.colour(), Style::Good, "ready")
    };
    let file = options.config.display();
    output.line(&format!("{file}: {word}, {}, {}", count(faults, "fault"), count(warnings, "warning")))
}
