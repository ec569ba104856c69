//! A trace without a running firewall: a pipeline of its own, made of a configuration, which is asked and then given the
//! frame. What it does is the verdict; only that could name an application by what the frame carries.

use arrayvec::ArrayVec;
use dataplane::pipeline::{Assumed, Example, Frame, Trace, Unless};
use dataplane::route::Hop;
use dataplane::time::Nanos;
use dataplane::verdict::Verdict;
use sigdb::AppId;

use super::{Question, Story};
use crate::config::Compiled;
use crate::runtime::{made_up_mac, scratch};

/// Follows a packet through a configuration. There are no sessions before it, no neighbour is known, nobody is signed on.
///
/// # Errors
/// What is wrong with the question.
pub fn trace(question: &Question, compiled: &Compiled) -> Result<Story, String> {
    let example = question.prepare(compiled, |port| Some(made_up_mac(port)))?;
    let (mut trace, verdict, application) = play(compiled, &example);
    let mut named = None;
    if let Some(application) = application.filter(|_| trace.unless == Some(Unless::Inspection)) {
        // Its first payload says what it is: the rules are told as they were asked the second time.
        let assumed = Assumed { application: Some(application), ..example.assumed };
        trace = play(compiled, &Example { assumed, ..example.clone() }).0;
        named = Some(compiled.names.application(application));
    }
    trace.verdict = if example.assumed == Assumed::default() { verdict } else { trace.verdict };
    if matches!(trace.unless, Some(Unless::Inspection | Unless::Pool)) {
        // The pipeline has done that: what is left is whether the next hop answers.
        let leads_on = matches!(trace.hop, Some(Hop::Connected(_) | Hop::Via { .. }));
        trace.unless = (leads_on && trace.verdict == Verdict::Taken).then_some(Unless::Unresolved);
    }
    let story = Story::new(&trace, example.port, compiled);
    Ok(match named {
        Some(name) => story.named(name),
        None => story,
    })
}

/// What a fresh pipeline says of a frame, what it does with it, and what it then takes its flow for.
fn play(compiled: &Compiled, example: &Example) -> (Trace, Verdict, Option<AppId>) {
    let mut pipeline = scratch(compiled);
    let now = Nanos::from_parts(1, 0);
    pipeline.turn(now);
    pipeline.clear_originated();
    let trace = pipeline.trace_example(now, example);
    let mut bytes = example.bytes.clone();
    let mut verdicts = ArrayVec::new();
    pipeline.process(now, &mut [Frame::new(example.port, &mut bytes, example.length)], &mut verdicts);
    let application = pipeline.trace_example(now, example).session.map(|session| session.application);
    let verdict = verdicts.first().copied().unwrap_or(trace.verdict);
    (trace, verdict, application.filter(|application| application.is_known()))
}
