//! Flows that are told before their end.

use std::collections::VecDeque;

use super::{Body, Closing, Table, YoungState};
use crate::flow::Flow;
use crate::meter::Young;
use crate::told::{Told, ToldWhat};

impl Table {
    /// Says how a young flow looks, when it is time to.
    pub(super) fn ask_young(
        &mut self,
        at: usize,
        sequence: u64,
        now: i64,
        out: &mut VecDeque<Told>,
    ) {
        let Some(early) = self.config.early else {
            return;
        };
        let entry = &self.entries[at];
        let (packets, start) = match &entry.body {
            Body::Vacant | Body::Cut => return,
            Body::First { first, .. } => (1, first.time),
            Body::Flow(flow) => (flow.packets(), flow.start_micros),
        };
        let is_over = entry.closing == Closing::Ready
            || entry
                .connection
                .is_some_and(|connection| connection.is_over());
        let is_old = packets >= u64::from(early.after_packets)
            || now.saturating_sub(start) >= early.after_micros;
        let why = match entry.young {
            YoungState::New | YoungState::Judged if is_over => Young::Over,
            YoungState::New if is_old => Young::Seen,
            _ => return,
        };
        self.entries[at].young = match why {
            Young::Over => YoungState::Over,
            Young::Seen => YoungState::Judged,
        };
        let connection = self.entries[at].connection;
        let mut flow = self.snapshot(at);
        flow.connection = connection;
        flow.connection_micros = flow
            .connection_micros
            .saturating_add(flow.duration_micros());
        self.counts.young += 1;
        out.push_back(Told {
            sequence,
            what: ToldWhat::Young(flow, why),
        });
    }

    /// A copy of a flow that goes on. One of a single packet is not made larger by being looked at.
    fn snapshot(&self, at: usize) -> Box<Flow> {
        match (self.opening(at), &self.entries[at].body) {
            (_, Body::Flow(flow)) => flow.clone(),
            (Some(opening), _) => Box::new(Flow::open(
                self.config.profile,
                &opening,
                self.config.timeline,
            )),
            _ => unreachable!("only entries with a flow are looked at"),
        }
    }
}
