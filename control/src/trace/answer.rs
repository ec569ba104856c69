//! The answer of a running firewall: every worker is asked, as a session is one worker's.

use std::sync::Arc;

use crossbeam::channel::{Receiver, TryRecvError};
use dataplane::pipeline::{Example, Trace};

use super::{Story, TraceRow};
use crate::config::Compiled;

/// A trace under way.
#[derive(Debug)]
pub struct Tracing {
    /// Kept here, so that no worker is the last to have it.
    example: Arc<Example>,
    answers: Receiver<Trace>,
    chosen: Option<Trace>,
    story: Option<Story>,
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// A row.
    Row(TraceRow),
    /// Nothing yet.
    Nothing,
    /// There is no more.
    End,
    /// There is no answer; why.
    Refused(&'static str),
}

impl Tracing {
    /// Workers send their answers through the channel, which ends with the last.
    pub fn new(example: Arc<Example>, answers: Receiver<Trace>) -> Self {
        Self { example, answers, chosen: None, story: None }
    }

    /// The next row.
    pub fn next(&mut self, compiled: &Compiled) -> Next {
        if let Some(story) = &mut self.story {
            return story.next(compiled).map_or(Next::End, Next::Row);
        }
        loop {
            match self.answers.try_recv() {
                // The worker whose session it is knows most; of the others any.
                Ok(trace) => {
                    let is_better = trace.session.is_some() || self.chosen.is_none();
                    if is_better {
                        self.chosen = Some(trace);
                    }
                }
                Err(TryRecvError::Empty) => return Next::Nothing,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        match &self.chosen {
            None => Next::Refused("the workers are too busy to answer: ask again"),
            Some(trace) if trace.epoch != compiled.policy.epoch() => {
                Next::Refused("the workers go over to another policy just now: ask again")
            }
            Some(trace) => {
                self.story = Some(Story::new(trace, self.example.port, compiled));
                self.next(compiled)
            }
        }
    }
}
