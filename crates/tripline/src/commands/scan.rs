//! Judges the flows of a capture.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use tripline_wire::{CaptureReader, DecodeOptions};

use super::score::open_input;
use crate::cli::ScanArgs;
use crate::model_files;
use crate::sensor::{self, SensorConfig, Stage};
use tripline_flow::MeterConfig;

pub(super) fn run(args: &ScanArgs) -> anyhow::Result<ExitCode> {
    let models = model_files::model_set(&args.models.models_dir)?;
    let judges = sensor::judges(&models, 5)?;
    let pipelines = judges.pipelines().to_vec();
    for file in &args.files {
        let capture = CaptureReader::new(std::fs::File::open(file)?)
            .with_context(|| file.display().to_string())?;
        let config = SensorConfig {
            decode: DecodeOptions::default(),
            meter: MeterConfig::default(),
        };
        let mut total = 0u64;
        let mut flagged = vec![0u64; 3];
        let mut known = vec![0u64; 2];
        let mut classes: BTreeMap<String, u64> = BTreeMap::new();
        let judges = sensor::judges(&models, 5)?;
        let counts = sensor::run(capture, config, judges, |flows, _| {
            for judged in flows.iter() {
                if judged.stage != Stage::Final {
                    continue;
                }
                total += 1;
                let mut any = false;
                for opinion in &judged.opinions {
                    known[opinion.pipeline] += 1;
                    if opinion.verdict.is_threat() {
                        flagged[opinion.pipeline] += 1;
                        any = true;
                        if let Some(attack) = opinion.verdict.attack {
                            let p = &pipelines[opinion.pipeline];
                            let name =
                                &p.classifier().unwrap().manifest().classes[attack.class].name;
                            *classes
                                .entry(format!("{}:{}", p.schema().name(), name))
                                .or_default() += 1;
                        }
                    }
                }
                flagged[2] += u64::from(any);
            }
            Ok(())
        })?;
        println!(
            "{}",
            json!({"file": file.file_name().map(|n| n.to_string_lossy()), "flows": total, "cic": flagged[0], "nsl": flagged[1], "nsl_known": known[1], "any": flagged[2], "classes": classes, "packets": counts.meter.packets, "causes": counts.causes.iter().map(|(c,n)| (c.name(), n)).collect::<BTreeMap<_,_>>()})
        );
    }
    let _ = std::io::stdout().flush();
    let _ = open_input;
    Ok(ExitCode::SUCCESS)
}
