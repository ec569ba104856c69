//! `ostiary generations`: what was committed, and the text of one of them.

use clap::Args;

use super::configure::{Asking, ask};
use super::output::{Failure, Output};
use super::show::seconds;
use super::table::{Cell, Table};
use crate::manage;
use crate::manage::configure::ConfigView;
use crate::manage::protocol::Answer;

/// Options of `generations`.
#[derive(Debug, Args)]
pub(super) struct GenerationsOptions {
    /// Print the text of this one: its number, or running, candidate, file, rescue
    generation: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

pub(super) fn generations(options: &GenerationsOptions, output: &mut Output) -> Result<(), Failure> {
    if let Some(source) = &options.generation {
        return ask(
            &ConfigView::Configuration { source: source.clone() },
            &options.asking.socket,
            options.asking.json,
            output,
        );
    }
    if options.asking.json {
        return ask(&ConfigView::Generations {}, &options.asking.socket, options.asking.json, output);
    }
    let mut table = Table::new(&["NUMBER", "BACK", "TIME", "BY", "CAUSE", "STATE", "COMMENT"]);
    let mut scheduled = None;
    let mut answers = manage::request(&options.asking.socket, &ConfigView::Generations {})?;
    while let Some(answer) = answers.next_row()? {
        let row = match answer {
            Answer::Generation(row) => row,
            Answer::Done(row) => {
                scheduled = Some(row.text);
                continue;
            }
            _ => continue,
        };
        table.row(vec![
            Cell::count(row.number.into()),
            row.back.map_or_else(|| Cell::text("-"), |back| Cell::count(back.into())),
            Cell::text(seconds(&row.time)),
            Cell::text(row.by),
            Cell::text(row.cause),
            Cell::text(row.state),
            Cell::text(row.comment.unwrap_or_default()),
        ]);
    }
    table.print("nothing was committed", output)?;
    scheduled.map_or(Ok(()), |text| output.line(&text))
}
