//! What begins sessions.

mod attacks;
mod benign;

use crate::network::Network;
use crate::random::Random;
use crate::session::Script;
use crate::{TrafficPlan, sources::attacks::Attack};

/// Begins sessions, one after the other.
#[derive(Debug)]
pub(crate) enum Source {
    /// An office at work.
    Benign(benign::Office),
    /// An attack.
    Attack(Box<Attack>),
}

/// A session to begin now, and when to ask again.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) script: Option<Script>,
    pub(crate) again: Option<i64>,
}

impl Source {
    pub(crate) fn of(plan: &TrafficPlan, network: &Network, random: &mut Random) -> Vec<Self> {
        let end = plan.start_micros + plan.duration_micros;
        let mut sources = Vec::new();
        if plan.benign_sessions_per_second > 0.0 {
            sources.push(Self::Benign(benign::Office::new(
                plan.start_micros,
                end,
                plan.benign_sessions_per_second,
            )));
        }
        for attack in &plan.attacks {
            sources.push(Self::Attack(Box::new(Attack::new(
                attack,
                plan.start_micros,
                network,
                random,
            ))));
        }
        sources
    }

    pub(crate) fn first_micros(&self) -> i64 {
        match self {
            Self::Benign(office) => office.first_micros(),
            Self::Attack(attack) => attack.first_micros(),
        }
    }

    pub(crate) fn next(&mut self, now: i64, network: &mut Network, random: &mut Random) -> Next {
        match self {
            Self::Benign(office) => office.next(now, network, random),
            Self::Attack(attack) => attack.next(now, network, random),
        }
    }
}
