use std::collections::VecDeque;

use super::normal;

/// One connection before the window features are counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Connection {
    pub(super) at: f64,
    pub(super) source_port: u16,
    pub(super) destination: u32,
    pub(super) protocol: &'static str,
    pub(super) service: &'static str,
    pub(super) flag: &'static str,
    pub(super) duration: u32,
    pub(super) src_bytes: u64,
    pub(super) dst_bytes: u64,
    pub(super) content: Content,
    pub(super) label: &'static str,
}

/// Features that come from the packets and the session of the connection itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Content {
    pub(super) land: u32,
    pub(super) wrong_fragment: u32,
    pub(super) urgent: u32,
    pub(super) hot: u32,
    pub(super) num_failed_logins: u32,
    pub(super) logged_in: u32,
    pub(super) num_compromised: u32,
    pub(super) root_shell: u32,
    pub(super) su_attempted: u32,
    pub(super) num_root: u32,
    pub(super) num_file_creations: u32,
    pub(super) num_shells: u32,
    pub(super) num_access_files: u32,
    pub(super) is_guest_login: u32,
}

/// Draws connections one after the other: ordinary ones, and attacks that come in bursts.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    random: Random,
    clock: f64,
    campaign: Option<super::attacks::Campaign>,
    follow_ups: VecDeque<Connection>,
}

/// Mean seconds between ordinary connections of the network.
const ORDINARY_GAP: f64 = 0.15;

impl Traffic {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random { state: seed },
            clock: 0.0,
            campaign: None,
            follow_ups: VecDeque::new(),
        }
    }

    pub(super) fn next_connection(&mut self) -> Connection {
        let mut connection = match self.follow_ups.pop_front() {
            Some(connection) => connection,
            None => self.draw(),
        };
        connection.at = self.clock;
        connection
    }

    fn draw(&mut self) -> Connection {
        if self.campaign.is_none() && self.random.chance(0.012) {
            self.campaign = Some(super::attacks::Campaign::start(&mut self.random));
        }
        if let Some(campaign) = &mut self.campaign {
            // Ordinary traffic goes on during an attack, at its own pace.
            if self.random.chance(campaign.share()) {
                self.clock += self.random.exponential(campaign.gap());
                let connection = campaign.attack(&mut self.random);
                if campaign.is_over() {
                    self.campaign = None;
                }
                return connection;
            }
        }
        self.clock += self.random.exponential(ORDINARY_GAP);
        normal::connection(&mut self.random, &mut self.follow_ups)
    }
}

/// SplitMix64: small, seedable and good enough for a demonstration.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `low..=high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub(super) fn small(&mut self, low: u32, high: u32) -> u32 {
        self.between(u64::from(low), u64::from(high)) as u32
    }

    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Byte counts have long tails: log-normal around the median, `spread` in powers of e.
    pub(super) fn size(&mut self, median: f64, spread: f64) -> u64 {
        let normal: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        (median * (normal * spread).exp()).round().max(1.0) as u64
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[(f64, T)], otherwise: T) -> T {
        let mut left = self.unit();
        for (weight, choice) in choices {
            left -= weight;
            if left < 0.0 {
                return *choice;
            }
        }
        otherwise
    }

    pub(super) fn ephemeral_port(&mut self) -> u16 {
        self.between(1024, 65_535) as u16
    }
}
