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
    let flow = report.subject();
    let [packets_forward, packets_backward] = flow.packets();
    let [bytes_forward, bytes_backward] = flow.frame_bytes();
    let last = flow.last_micros();
    let common = |kind: &str| {
        json!({
            "timestamp": super::report::time_text(last.unwrap_or(flow.start_micros())),
            "flow_id": report.flow_id(),
            "event_type": kind,
            "src_ip": report.source(),
            "src_port": flow.source_port(),
            "dest_ip": report.destination(),
            "dest_port": flow.destination_port(),
            "proto": report.protocol().to_uppercase(),
            "community_id": flow.community_id(),
            "flow": {
                "pkts_toserver": packets_forward,
                "pkts_toclient": packets_backward,
                "bytes_toserver": bytes_forward,
                "bytes_toclient": bytes_backward,
                "start": report.start(),
                "end": last.map(super::report::time_text),
                "age": flow.duration_micros().map(|micros| micros / 1_000_000),
                "reason": flow.end_reason(),
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
            "reasons": report.reasons().iter().map(crate::output::ReasonText::to_json).collect::<Vec<_>>(),
        });
        events.push(alert);
    }
    events
}
