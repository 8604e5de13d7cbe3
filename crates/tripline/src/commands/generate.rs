//! Writes generated traffic as a capture. Nothing is sent anywhere.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use tripline_traffic::adversarial::Hostile;
use tripline_traffic::{Label, LabelWriter, PcapWriter, Traffic, TrafficPlan};

use super::progress;
use crate::cli::{GenerateArgs, Preset};
use crate::output::Target;

pub(super) fn run(args: &GenerateArgs) -> anyhow::Result<ExitCode> {
    let is_stdout = args.output.as_os_str() == "-";
    let target = Target::new((!is_stdout).then_some(args.output.as_path()));
    let mut pcap = PcapWriter::new(BufWriter::with_capacity(1 << 20, target.open()?))?;
    let bar = progress(None, "generating");
    let mut totals = Totals::default();
    if let Some(shape) = args.hostile {
        let mut hostile = Hostile::new(shape.0, args.packets);
        while let Some((time, frame)) = hostile.next_frame() {
            pcap.write(time, frame)?;
            totals.add(frame, Label::Benign);
        }
    } else {
        let mut labels = match &args.labels {
            Some(path) => {
                let file = File::create(path).with_context(|| path.display().to_string())?;
                Some(LabelWriter::new(BufWriter::new(file))?)
            }
            None => None,
        };
        let mut traffic = Traffic::new(&plan(args))?;
        while let Some(packet) = traffic.next_packet() {
            pcap.write(packet.time_micros, packet.frame)?;
            totals.add(packet.frame, packet.label);
            if let Some(labels) = &mut labels {
                labels.observe(&packet);
            }
        }
        if let Some(labels) = labels {
            labels.finish()?;
        }
    }
    pcap.finish()?;
    target.finish()?;
    bar.finish_and_clear();
    let mut err = std::io::stderr().lock();
    writeln!(
        err,
        "{} packets, {} bytes on the wire, {} packets of attacks, seed {}",
        totals.packets, totals.bytes, totals.attack_packets, args.seed
    )?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Default)]
struct Totals {
    packets: u64,
    bytes: u64,
    attack_packets: u64,
}

impl Totals {
    fn add(&mut self, frame: &[u8], label: Label) {
        self.packets += 1;
        self.bytes += frame.len() as u64;
        self.attack_packets += u64::from(label != Label::Benign);
    }
}

/// The preset with what was typed in its place.
fn plan(args: &GenerateArgs) -> TrafficPlan {
    let mut plan = match args.preset {
        Preset::Demo => TrafficPlan::demo(args.seed),
        Preset::Benign => TrafficPlan::benign(args.seed, 600, 6.0),
        Preset::Benchmark => TrafficPlan::benchmark(args.seed),
    };
    if let Some(seconds) = args.seconds {
        plan.duration_micros = i64::from(seconds) * 1_000_000;
    }
    if let Some(rate) = args.sessions_per_second {
        plan.benign_sessions_per_second = rate;
    }
    if !args.attack.is_empty() {
        plan.attacks = args.attack.iter().map(|attack| attack.0).collect();
    }
    plan
}
