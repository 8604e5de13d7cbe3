//! Writes the features of flows as CICFlowMeter does.

use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use tripline_flow::Profile;

use super::capture;
use crate::cli::FlowsArgs;
use crate::flows::cicflow_csv::CicflowCsv;
use crate::flows::summary;
use crate::output::Target;
use crate::sensor::{self, Judges};

pub(super) fn run(args: &FlowsArgs) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let profile = args.profile.profile();
    let target = Target::new(args.output.as_deref());
    let mut writer = CicflowCsv::new(BufWriter::new(target.open()?), profile)?;
    let mut config = capture::config(&args.meter);
    config.meter.profile = profile;
    let mut flows_written = 0_u64;
    let counts = sensor::run(
        capture::open(&args.file)?,
        config,
        Judges::none(),
        |flows, _| {
            for judged in flows.iter() {
                if judged.flow.end.is_none() {
                    continue;
                }
                writer.write(&judged.flow, args.label.as_deref())?;
                flows_written += 1;
            }
            Ok(())
        },
    )
    .with_context(|| args.file.display().to_string())?;
    writer.finish()?;
    target.finish()?;
    let mut err = std::io::stderr().lock();
    writeln!(
        err,
        "{} packets in {flows_written} flows ({}) in {:.2} s",
        counts.meter.packets,
        profile.name(),
        started.elapsed().as_secs_f64()
    )?;
    for line in summary::losses(&counts) {
        writeln!(err, "note: {line}")?;
    }
    if counts.meter.lone_flows > 0 && profile != Profile::Fixed {
        writeln!(
            err,
            "note: {} flows of one packet, which this profile does not write",
            counts.meter.lone_flows
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
