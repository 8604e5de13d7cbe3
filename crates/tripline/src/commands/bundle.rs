use std::{io::Write, process::ExitCode};

use serde_json::json;

use super::chain;
use crate::{cli::BundleCommand, model_files};

pub(super) fn run(command: &BundleCommand) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match command {
        BundleCommand::List { json, models } => {
            let (files, refused) = model_files::read_folder(&models.models_dir)?;
            if *json {
                let list: Vec<_> = files
                    .iter()
                    .map(|file| {
                        let manifest = file.model.manifest();
                        json!({
                            "name": manifest.name, "version": manifest.version, "role": manifest.role,
                            "schema": manifest.schema, "features": manifest.features.len(),
                            "priority": manifest.priority, "bytes": file.bytes,
                            "file": file.path, "metrics": manifest.metrics,
                        })
                    })
                    .collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
            } else {
                for file in &files {
                    let manifest = file.model.manifest();
                    writeln!(
                        out,
                        "{:36} {:16} {:10} {:8} {:3} features {:9} bytes",
                        manifest.name,
                        manifest.version,
                        manifest.role.as_str(),
                        manifest.schema.name,
                        manifest.features.len(),
                        file.bytes
                    )?;
                }
            }
            for error in &refused {
                writeln!(std::io::stderr(), "refused: {}", chain(error))?;
            }
            Ok(ExitCode::from(u8::from(!refused.is_empty())))
        }
        BundleCommand::Show { bundle } => {
            let file = model_files::read(bundle)?;
            writeln!(
                out,
                "{}",
                serde_json::to_string_pretty(file.model.manifest())?
            )?;
            Ok(ExitCode::SUCCESS)
        }
        BundleCommand::Check { bundles } => {
            let mut failed = 0_u8;
            for path in bundles {
                match model_files::read(path) {
                    Ok(file) => writeln!(
                        out,
                        "{}: ok, {} {}",
                        path.display(),
                        file.model.manifest().name,
                        file.model.manifest().version
                    )?,
                    Err(error) => {
                        failed = 1;
                        writeln!(out, "{}: refused: {}", path.display(), chain(&error))?;
                    }
                }
            }
            Ok(ExitCode::from(failed))
        }
    }
}
