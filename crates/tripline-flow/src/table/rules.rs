//! When a packet of a known pair of end points ends their flow, by the rules of each program.

use std::collections::VecDeque;

use tripline_wire::{Transport, tcp_flags};

use super::{Body, Closing, Placed, Table};
use crate::accumulate::{AddRule, Counted};
use crate::flow::{EndReason, Heading};
use crate::told::Told;
use crate::{FLOW_TIMEOUT_MICROS, Profile};

/// What a packet does to the flow that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is one more packet.
    Add,
    /// It is one more packet, and the flow knows that its connection ends.
    AddAs(Closing),
    /// It is the last packet.
    AddAndClose,
    /// The original loses it.
    Drop,
    /// It belongs to a flow of its own.
    Replace,
    /// The flow is too old: the packet begins its continuation.
    Cut,
}

impl Table {
    /// Does to the flow that is there, and to its connection, what a packet does.
    pub(super) fn apply_rules(&mut self, at: usize, placed: &Placed<'_>, out: &mut VecDeque<Told>) {
        let heading = self.heading(at, placed.packet);
        match self.effect(at, placed, heading) {
            Effect::Add => self.add(at, placed, heading, Activity::Updated),
            Effect::AddAs(closing) => {
                self.add(at, placed, heading, Activity::Updated);
                self.entries[at].closing = closing;
            }
            Effect::AddAndClose => {
                self.add(at, placed, heading, Activity::Kept);
                // The flow that ends here tells the connection with this packet in it.
                self.connect(at, placed, out);
                self.close(at, EndReason::Closed, Body::Vacant, placed.sequence, out);
                return;
            }
            Effect::Drop => self.counts.dropped += 1,
            Effect::Replace => {
                self.close(at, EndReason::Replaced, Body::Vacant, placed.sequence, out);
                self.begin(at, placed);
            }
            Effect::Cut => {
                self.close(at, EndReason::Timeout, Body::Cut, placed.sequence, out);
                self.continue_cut(at, placed);
            }
        }
        self.connect(at, placed, out);
    }

    fn effect(&self, at: usize, placed: &Placed<'_>, heading: Heading) -> Effect {
        let entry = &self.entries[at];
        let packet = placed.packet;
        let Some(start) = entry.start_micros() else {
            return Effect::Replace;
        };
        let flags = packet.tcp_flags();
        if packet.time_micros.saturating_sub(start) > FLOW_TIMEOUT_MICROS {
            return Effect::Cut;
        }
        let has = |flag: u8| flags & flag != 0;
        match self.config.profile {
            Profile::Cicids2017 if has(tcp_flags::FIN) => Effect::AddAndClose,
            Profile::V4 if has(tcp_flags::FIN) => match (heading, entry.closing) {
                (Heading::Backward, _) => Effect::AddAndClose,
                (Heading::Forward, Closing::Open) => Effect::AddAs(Closing::FirstFin),
                (Heading::Forward, _) => Effect::Drop,
            },
            Profile::V4 if has(tcp_flags::RST) => Effect::AddAndClose,
            Profile::V4 | Profile::Cicids2017 => Effect::Add,
            Profile::Fixed => self.fixed_effect(at, placed, heading, flags),
        }
    }

    fn fixed_effect(&self, at: usize, placed: &Placed<'_>, heading: Heading, flags: u8) -> Effect {
        let entry = &self.entries[at];
        let has = |flag: u8| flags & flag != 0;
        if entry.closing == Closing::Ready && has(tcp_flags::SYN) {
            return Effect::Replace;
        }
        if has(tcp_flags::FIN) {
            return match entry.closing {
                Closing::Open => Effect::AddAs(Closing::FirstFin),
                Closing::FirstFin if self.both_have_fin(at, heading) => {
                    Effect::AddAs(Closing::SecondFin)
                }
                _ => Effect::Add,
            };
        }
        if has(tcp_flags::RST) {
            return Effect::AddAs(Closing::Ready);
        }
        if has(tcp_flags::ACK) && entry.closing == Closing::SecondFin {
            return Effect::AddAs(Closing::Ready);
        }
        if let Transport::Icmp { kind, code } = placed.packet.transport {
            let known = match &entry.body {
                Body::First { first, .. } => first.icmp,
                Body::Flow(flow) => flow.icmp,
                Body::Vacant | Body::Cut => None,
            };
            if known.is_some_and(|known| known.0 != kind && known.1 != code) {
                return Effect::Replace;
            }
        }
        Effect::Add
    }

    /// Whether both directions have a FIN, this packet's included.
    fn both_have_fin(&self, at: usize, heading: Heading) -> bool {
        let Body::Flow(flow) = &self.entries[at].body else {
            return false;
        };
        match heading {
            Heading::Forward => flow.backward.fin > 0,
            Heading::Backward => flow.forward.fin > 0,
        }
    }

    fn add(&mut self, at: usize, placed: &Placed<'_>, heading: Heading, activity: Activity) {
        let rule = AddRule {
            updates_activity: activity == Activity::Updated,
            timeline: self.config.timeline,
        };
        let is_again = self.was_seen(at, placed);
        let counted = Counted::of(placed.packet, self.config.profile);
        let flow = self.grow(at);
        flow.add(&counted, heading, rule);
        if is_again {
            flow.direction(heading).retransmissions += 1;
        }
        self.entries[at].last_micros = placed.packet.time_micros;
    }

    /// Begins what follows a flow that was cut for its age.
    pub(super) fn continue_cut(&mut self, at: usize, placed: &Placed<'_>) {
        let entry = &mut self.entries[at];
        let packet = placed.packet;
        let silence = packet.time_micros.saturating_sub(entry.last_micros);
        if !self.config.profile.is_fixed() {
            // The originals process the packet before they know whose it is, so that it always
            // counts as forward.
            self.open(at, placed, Heading::Forward);
            return;
        }
        let is_new = match packet.transport {
            Transport::Tcp(tcp) => {
                entry.closing == Closing::Ready && tcp.flags & tcp_flags::SYN != 0
            }
            Transport::Udp => silence > FLOW_TIMEOUT_MICROS,
            _ => true,
        };
        if is_new {
            self.begin(at, placed);
            return;
        }
        entry.chain_micros = entry.chain_micros.saturating_add(silence);
        let heading = self.heading(at, packet);
        self.open(at, placed, heading);
    }
}

/// Whether a packet moves the activity of its flow on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Updated,
    Kept,
}
