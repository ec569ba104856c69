//! Scenes in turn, each run in a process of its own, and what came of them.

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::figure::{STEADY, median};
use super::scene::{Figure, Plan, UNLOGGED};
use super::{Fallible, machine};

/// One figure of a scene over all runs.
#[derive(Clone, Debug)]
pub struct Line {
    /// Of which scene.
    pub scene: String,
    /// What it is.
    pub name: String,
    /// Of each run; at least one.
    pub values: Vec<f64>,
    /// Of the values.
    pub unit: String,
}

impl Line {
    /// Over the runs.
    pub fn median(&self) -> f64 {
        median(&self.values)
    }

    /// Lowest and highest.
    pub fn range(&self) -> (f64, f64) {
        let values = self.values.iter().copied();
        (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
    }

    /// Whether rates and costs of the runs differ too much for the median to mean something; times and shares may.
    pub fn is_unsteady(&self) -> bool {
        let (low, high) = self.range();
        matches!(self.unit.as_str(), "M/s" | "cycles") && (high - low) > STEADY * self.median().abs()
    }

    fn json(&self) -> Value {
        json!({
            "scene": self.scene,
            "figure": self.name,
            "unit": self.unit,
            "median": self.median(),
            "unsteady": self.is_unsteady(),
            "runs": self.values,
        })
    }
}

/// How many times the sessions a second of those that do not log, of each scene that was played both ways; in each run.
fn logged_to_unlogged(lines: &[Line]) -> Vec<Line> {
    let sessions = |scene: &str| lines.iter().find(|line| line.scene == scene && line.name == "sessions");
    let ratio = |line: &Line| {
        let (logged, unlogged) = (sessions(line.scene.strip_suffix(UNLOGGED)?)?, sessions(&line.scene)?);
        let values = logged.values.iter().zip(&unlogged.values).map(|(logged, unlogged)| logged / unlogged).collect();
        let name = "sessions, to unlogged".to_owned();
        Some(Line { scene: logged.scene.clone(), name, values, unit: "×".to_owned() })
    };
    lines.iter().filter(|line| line.name == "sessions").filter_map(ratio).collect()
}

/// Plays scenes in turn, all of them once a run.
///
/// # Errors
/// Where one cannot be played, or its counts do not agree.
pub fn play(scenes: &[String], plan: &Plan, runs: u32, patience: Duration) -> Fallible<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    for run in 1..=runs {
        for scene in scenes {
            eprint!("\r\x1b[K{scene}: run {run} of {runs}");
            machine::quiet_or_say(patience);
            for figure in once(scene, plan)? {
                let known = lines.iter_mut().find(|line| line.scene == *scene && line.name == figure.name);
                match known {
                    Some(line) => line.values.push(figure.value),
                    None => lines.push(Line {
                        scene: scene.clone(),
                        name: figure.name,
                        values: vec![figure.value],
                        unit: figure.unit,
                    }),
                }
            }
        }
    }
    eprint!("\r\x1b[K");
    lines.extend(logged_to_unlogged(&lines));
    lines.sort_by_key(|line| scenes.iter().position(|scene| *scene == line.scene));
    Ok(lines)
}

/// This program again, since DPDK starts once a process.
fn once(scene: &str, plan: &Plan) -> Fallible<Vec<Figure>> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["play", scene, &serde_json::to_string(plan)?]);
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{scene}: it could not be played").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The table for people.
pub fn table(lines: &[Line]) -> String {
    let mut text = String::new();
    let mut last = "";
    for line in lines {
        let scene = if line.scene == last { "" } else { &line.scene };
        last = &line.scene;
        let (low, high) = line.range();
        let mark = if line.is_unsteady() { " !" } else { "" };
        let range = format!("[{low:.2} .. {high:.2}]");
        text += &format!("{scene:<22} {:<24} {:>12.2} {range:>24} {}{mark}\n", line.name, line.median(), line.unit);
    }
    text
}

/// The same for programs.
pub fn json(lines: &[Line]) -> Value {
    lines.iter().map(Line::json).collect()
}
