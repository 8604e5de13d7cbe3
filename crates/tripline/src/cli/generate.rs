//! Options of `generate`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use tripline_traffic::{AttackKind, AttackPlan, adversarial::Shape};

/// What is generated when nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Ten minutes of an office network with a burst of every attack.
    Demo,
    /// Ordinary sessions only.
    Benign,
    /// What speed is measured on: about 1.1 million packets and 240 MB.
    Benchmark,
}

/// Options of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The capture to write (pcap); `-` is standard output.
    #[arg(short, long)]
    pub output: PathBuf,
    /// Also write what each session was, as CSV.
    #[arg(long)]
    pub labels: Option<PathBuf>,
    /// What to begin with.
    #[arg(long, value_enum, default_value_t = Preset::Demo)]
    pub preset: Preset,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Sessions begin during this many seconds.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=31_622_400))]
    pub seconds: Option<u32>,
    /// Ordinary sessions that begin in a second.
    #[arg(long)]
    pub sessions_per_second: Option<f64>,
    /// Instead of the preset's attacks: a kind with its first second, its seconds and its
    /// intensity, such as `portscan`, `slowloris@30+60` or `ddos@0+10x2.5`; may be repeated.
    #[arg(long, value_name = "KIND[@START][+SECONDS][xINTENSITY]")]
    pub attack: Vec<AttackText>,
    /// Instead of all that, traffic that is hard on whoever watches it: `syns`, each from another
    /// source, `one-flow` of data segments, or `concurrent=FLOWS` in turn.
    #[arg(long, conflicts_with_all = ["labels", "seconds", "sessions_per_second", "attack"])]
    pub hostile: Option<HostileText>,
    /// Packets of `--hostile`.
    #[arg(long, default_value_t = 1_000_000, requires = "hostile")]
    pub packets: u64,
}

/// An attack as it is typed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttackText(pub AttackPlan);

impl FromStr for AttackText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (text, intensity) = cut(text, 'x', 1.0, "intensity", is_number)?;
        let (text, seconds) = cut(text, '+', 30.0, "seconds", is_number)?;
        let (kind, start) = cut(text, '@', 0.0, "start", is_number)?;
        let kind: AttackKind = kind
            .parse()
            .map_err(|error: tripline_traffic::PlanError| error.to_string())?;
        let micros = |seconds: f64| (seconds * 1e6) as i64;
        Ok(Self(AttackPlan {
            kind,
            start_micros: micros(start),
            duration_micros: micros(seconds),
            intensity,
        }))
    }
}

/// Takes a number off the end, where its mark is. Names of attacks hold the mark `x` too.
fn cut<'a>(
    text: &'a str,
    mark: char,
    default: f64,
    what: &str,
    is_value: fn(&str) -> bool,
) -> Result<(&'a str, f64), String> {
    let Some((rest, value)) = text.rsplit_once(mark) else {
        return Ok((text, default));
    };
    if mark == 'x' && !is_value(value) {
        return Ok((text, default));
    }
    match value.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok((rest, value)),
        _ => Err(format!(
            "{what} is '{value}', expected a number that is not negative"
        )),
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// A hostile shape as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostileText(pub Shape);

impl FromStr for HostileText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = match text.split_once('=') {
            None if text == "syns" => Shape::Syns,
            None if text == "one-flow" => Shape::OneFlow,
            Some(("concurrent", flows)) => match flows.parse() {
                Ok(flows) if flows > 0 => Shape::Concurrent { flows },
                _ => return Err(format!("'{flows}' is no number of flows")),
            },
            _ => return Err("expected syns, one-flow or concurrent=FLOWS".to_owned()),
        };
        Ok(Self(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: AttackKind, start: i64, seconds: i64, intensity: f64) {
        let AttackText(plan) = text.parse().unwrap();
        assert_eq!(plan.kind, kind, "{text}");
        assert_eq!(plan.start_micros, start * 1_000_000, "{text}");
        assert_eq!(plan.duration_micros, seconds * 1_000_000, "{text}");
        assert_eq!(plan.intensity, intensity, "{text}");
    }

    #[test]
    fn attacks_as_they_are_typed() {
        check("portscan", AttackKind::PortScan, 0, 30, 1.0);
        check("slowloris@30+60", AttackKind::DosSlowloris, 30, 60, 1.0);
        check("ddos+10x2.5", AttackKind::Ddos, 0, 10, 2.5);
        check("web-xss@5", AttackKind::WebXss, 5, 30, 1.0);
        check("web-xss@5x2", AttackKind::WebXss, 5, 30, 2.0);
    }

    #[test]
    fn what_is_no_attack_is_told() {
        let error = |text: &str| text.parse::<AttackText>().unwrap_err();
        assert!(error("flood").contains("expected one of dos-hulk"));
        assert_eq!(
            error("ddos@soon"),
            "start is 'soon', expected a number that is not negative"
        );
        assert_eq!(
            error("ddos+-3"),
            "seconds is '-3', expected a number that is not negative"
        );
    }

    #[test]
    fn shapes_as_they_are_typed() {
        let shape = |text: &str| text.parse::<HostileText>().map(|text| text.0);
        assert_eq!(shape("syns"), Ok(Shape::Syns));
        assert_eq!(shape("one-flow"), Ok(Shape::OneFlow));
        assert_eq!(
            shape("concurrent=10000"),
            Ok(Shape::Concurrent { flows: 10_000 })
        );
        assert!(shape("concurrent=0").is_err());
        assert!(shape("other").is_err());
    }
}
