//! Flows as Suricata's EVE: JSON lines with `event_type` `flow`, and `alert` for threats.

use serde_json::{Value, json};

use super::FlowReport;

/// Severity as EVE has it: 1 is the worst. The limits are those of the dashboard.
fn severity(probability: f64) -> u8 {
    match probability {
        high if high >= 0.9 => 1,
        medium if medium >= 0.7 => 2,
        _ => 3,
    }
}

/// The events of a flow.
pub(crate) fn events(report: &FlowReport<'_>) -> Vec<Value> {
    let flow = report.flow();
    let common = |kind: &str| {
        json!({
            "timestamp": super::report::time_text(flow.last_micros),
            "flow_id": report.flow_id(),
            "event_type": kind,
            "src_ip": report.source(),
            "src_port": flow.key.source_port,
            "dest_ip": report.destination(),
            "dest_port": flow.key.destination_port,
            "proto": report.protocol().to_uppercase(),
            "community_id": flow.community_id(),
            "flow": {
                "pkts_toserver": flow.forward.packets(),
                "pkts_toclient": flow.backward.packets(),
                "bytes_toserver": flow.forward.frame_bytes,
                "bytes_toclient": flow.backward.frame_bytes,
                "start": report.start(),
                "end": super::report::time_text(flow.last_micros),
                "age": flow.duration_micros() / 1_000_000,
                "reason": flow.end.map(tripline_flow::EndReason::name),
            },
        })
    };
    let mut event = common("flow");
    event["tripline"] = json!({
        "threat": report.opinion().map(|_| report.is_threat()),
        "probability": report.probability(),
        "schema": report.pipeline().map(|pipeline| pipeline.schema().name()),
    });
    let mut events = vec![event];
    if report.is_threat() {
        let probability = report.probability().unwrap_or(1.0);
        let mut alert = common("alert");
        alert["alert"] = json!({
            "action": "allowed",
            "signature": format!("Tripline {}", report.class().unwrap_or("threat")),
            "category": report.name().or(report.class()),
            "severity": severity(probability),
        });
        alert["tripline"] = json!({
            "probability": probability,
            "class": report.class(),
            "confidence": report.confidence(),
            "name": report.name(),
            "schema": report.pipeline().map(|pipeline| pipeline.schema().name()),
            "models": report.pipeline().map(|pipeline| pipeline.models().map(|model| {
                format!("{}@{}", model.manifest().name, model.manifest().version)
            }).collect::<Vec<_>>()),
            "reasons": report.reasons.iter().map(crate::output::ReasonText::to_json).collect::<Vec<_>>(),
        });
        events.push(alert);
    }
    events
}
