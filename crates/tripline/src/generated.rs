//! Rows from generated traffic, to train on and to try a server with: the same packets, meter and
//! features as live traffic.

mod records;

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use sha2::{Digest, Sha256};
use tripline_features::FeatureSchema;
use tripline_flow::{FlowKey, MeterConfig};
use tripline_lifecycle::LabelledRows;
use tripline_traffic::{AttackKind, AttackPlan, Label, Traffic, TrafficPlan};
use tripline_wire::{DecodeOptions, Decoder, Frame, LinkType, Packet};

use crate::live::EARLY;
use crate::sensor::{JudgedFlow, Judges, Sensor, Stage, tell_all};

pub(crate) use records::{Record, Records};

/// What is generated to train on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    /// The first seed; each network has the next one.
    pub(crate) seed: u64,
    /// Networks, each with hosts, distances and habits of attackers of its own.
    pub(crate) networks: u32,
    /// Ordinary rows kept of each network, of young flows and again of ended ones.
    pub(crate) benign_rows: usize,
    /// Rows kept of each kind of attack in each half minute of a network: attacks of one kind follow
    /// each other in many ways, and no way must crowd out the others.
    pub(crate) attack_rows: usize,
}

impl std::fmt::Display for Recipe {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "generated traffic: seeds {} to {}, of each up to {} ordinary rows and {} of each attack \
             in each half minute, of young flows and again of ended ones",
            self.seed,
            self.seed + u64::from(self.networks) - 1,
            self.benign_rows,
            self.attack_rows
        )
    }
}

/// SHA-256 of rows, in hexadecimal: the bits of their values and their labels.
pub(crate) fn digest(rows: &LabelledRows) -> String {
    let mut digest = Sha256::new();
    for row in 0..rows.len() {
        for value in rows.row(row) {
            digest.update(value.to_bits().to_le_bytes());
        }
        digest.update(rows.label(row).as_bytes());
        digest.update([0]);
    }
    format!("{:x}", digest.finalize())
}

const SECOND: i64 = 1_000_000;
const HALF_MINUTE: i64 = 30 * SECOND;

/// Rows of one kind, as many as are kept: each that came had the same chance to stay (Vitter 1985,
/// algorithm R).
#[derive(Debug, Default)]
struct Kept {
    seen: u64,
    rows: Vec<Vec<f64>>,
}

impl Kept {
    fn offer(&mut self, values: &[f64], limit: usize, chance: &mut u64) {
        self.seen += 1;
        if self.rows.len() < limit {
            self.rows.push(values.to_vec());
            return;
        }
        let place = draw(chance, self.seen);
        if let Some(row) = self.rows.get_mut(place as usize) {
            row.copy_from_slice(values);
        }
    }
}

/// A number below another, which is at least 1.
fn draw(chance: &mut u64, below: u64) -> u64 {
    // A linear congruential generator (Knuth, MMIX), of which the high bits are good.
    *chance = chance
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*chance >> 33) % below
}

/// Which rows must not crowd each other out: by label, whether the flow goes on, and when.
type Kind = (Label, bool, i64);

/// Rows of a schema, labelled as CICIDS2017 does.
pub(crate) fn rows(schema: &'static FeatureSchema, recipe: Recipe) -> anyhow::Result<LabelledRows> {
    let mut rows = LabelledRows::new(schema);
    for network in 0..recipe.networks {
        let seed = recipe.seed + u64::from(network);
        let mut chance = seed;
        let mut kept: BTreeMap<Kind, Kept> = BTreeMap::new();
        let mut take = |judged: &JudgedFlow, label: Label| {
            let Some(values) = judged.values(schema) else {
                return;
            };
            let (limit, part) = match label {
                Label::Benign => (recipe.benign_rows, 0),
                Label::Attack(_) => (
                    recipe.attack_rows,
                    judged.flow.start_micros.div_euclid(HALF_MINUTE),
                ),
            };
            let kind = (label, judged.stage == Stage::Final, part);
            let kept = kept.entry(kind).or_default();
            kept.offer(values, limit, &mut chance);
        };
        flows_of(&plan(seed), &mut take)?;
        for ((label, ..), kept) in &kept {
            for values in &kept.rows {
                rows.push(values, label.name());
            }
        }
    }
    Ok(rows)
}

/// Ten minutes of a network in which every attack happens several times, in different ways.
fn plan(seed: u64) -> TrafficPlan {
    let mut attacks = Vec::new();
    for (turn, kind) in AttackKind::ALL.into_iter().enumerate() {
        // Scans and floods have many ways.
        let times = match kind {
            AttackKind::PortScan | AttackKind::Ddos => 8,
            _ => 3,
        };
        for time in 0..times {
            attacks.push(AttackPlan {
                kind,
                start_micros: (turn as i64 * 17 + time * 91) % 560 * SECOND,
                duration_micros: match kind {
                    AttackKind::PortScan | AttackKind::Ddos => SECOND,
                    AttackKind::DosHulk => 3 * SECOND,
                    _ => 40 * SECOND,
                },
                intensity: if time % 2 == 0 { 1.0 } else { 0.4 },
            });
        }
    }
    TrafficPlan {
        attacks,
        ..TrafficPlan::benign(seed, 600, 5.0)
    }
}

/// Meters a plan's packets and hands each flow over with its label: at its end, and also as an
/// early verdict would see it, so that a model knows young flows.
fn flows_of(plan: &TrafficPlan, take: &mut impl FnMut(&JudgedFlow, Label)) -> anyhow::Result<()> {
    const BATCH: usize = 4096;
    let mut traffic = Traffic::new(plan).context("the plan of generated traffic")?;
    let mut decoder = Decoder::new(DecodeOptions::default());
    let mut sensor = Sensor::new(
        MeterConfig {
            early: Some(EARLY),
            ..MeterConfig::default()
        },
        Judges::none(),
    );
    let mut labels: HashMap<FlowKey, Label> = HashMap::new();
    let mut packets: Vec<Packet> = Vec::new();
    let mut flows = Vec::new();
    let mut hand_over = |flows: &mut Vec<JudgedFlow>, labels: &HashMap<FlowKey, Label>| {
        for judged in flows.drain(..) {
            let key = judged.flow.key;
            let label = labels.get(&key).or_else(|| labels.get(&key.reversed()));
            if let Some(label) = label {
                take(&judged, *label);
            }
        }
        Ok(())
    };
    while let Some(packet) = traffic.next_packet() {
        let key = FlowKey {
            source: packet.client.address.into(),
            destination: packet.server.address.into(),
            source_port: packet.client.port,
            destination_port: packet.server.port,
            protocol: packet.protocol,
        };
        labels.insert(key, packet.label);
        let frame = Frame {
            time_micros: packet.time_micros,
            link: LinkType::ETHERNET,
            data: packet.frame,
            frame_bytes: packet.frame.len() as u32,
        };
        packets.extend(decoder.decode(&frame));
        if packets.len() == BATCH {
            sensor.observe(&packets);
            packets.clear();
            tell_all(&mut sensor, &mut flows, |flows, _| {
                hand_over(flows, &labels)
            })?;
        }
    }
    sensor.observe(&packets);
    while sensor.finish_part() {
        tell_all(&mut sensor, &mut flows, |flows, _| {
            hand_over(flows, &labels)
        })?;
    }
    tell_all(&mut sensor, &mut flows, |flows, _| {
        hand_over(flows, &labels)
    })
}
