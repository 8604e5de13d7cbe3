//! Listens for `NetFlow` and IPFIX and judges the flows.

use std::io::{BufWriter, Write};
use std::net::UdpSocket;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};

use super::serve;
use crate::cli::CollectArgs;
use crate::flows::FlowReport;
use crate::flows::filter::Filter;
use crate::records::RecordJudges;
use crate::records::collector::{self, CollectorConfig};
use crate::{clock, model_files};

pub(super) fn run(args: &CollectArgs) -> anyhow::Result<ExitCode> {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        bail!(
            "--listen {}: other machines reach this address, and whoever sends there is believed; \
             listen on 127.0.0.1, or say --allow-remote",
            args.listen
        );
    }
    let models = model_files::model_set(&args.models.models_dir)?;
    let mut judges = RecordJudges::new(&models, args.reasons)?;
    let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
    let socket = UdpSocket::bind(args.listen)
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let stop = Arc::new(AtomicBool::new(false));
    let _signals = stop_on_signal(&stop)?;
    writeln!(
        std::io::stderr(),
        "listening for NetFlow and IPFIX on {}",
        socket.local_addr()?
    )?;
    let mut out = BufWriter::new(std::io::stdout());
    let config = CollectorConfig::new(args.queue as usize, clock::now);
    let books = collector::collect(&socket, &stop, &config, &mut judges, |batch, judges| {
        for judged in batch {
            let report = FlowReport::of_record(judged, judges.pipelines());
            let passes = filter.as_ref().is_none_or(|filter| filter.passes(&report));
            if passes && (report.is_threat() || !args.threats_only) {
                serde_json::to_writer(&mut out, &report.to_json())?;
                out.write_all(b"\n")?;
            }
        }
        Ok(out.flush()?)
    })?;
    writeln!(std::io::stderr(), "{}", books.to_json())?;
    let records = &books.records;
    Ok(if records.is_unknown() {
        writeln!(
            std::io::stderr(),
            "error: no record has the features of any model: {}",
            records.main_reason().unwrap_or_default()
        )?;
        ExitCode::from(super::NO_MODEL)
    } else if records.has_losses() {
        ExitCode::from(super::SOME_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}

/// Raises the flag at Ctrl-C and SIGTERM, for as long as the runtime lives.
fn stop_on_signal(stop: &Arc<AtomicBool>) -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let stop = Arc::clone(stop);
    runtime.spawn(async move {
        serve::stop_signal().await;
        stop.store(true, Ordering::Relaxed);
    });
    Ok(runtime)
}
