//! Flows as CICFlowMeter writes them: a drop-in replacement for its CSV.

use std::io::Write;
use std::net::IpAddr;

use tripline_features::live::cicflow;
use tripline_flow::{Flow, Profile};

/// What the tools write before somebody labels a flow.
const NO_LABEL: &str = "NeedManualLabel";

/// Writes the header line and rows of a profile.
#[derive(Debug)]
pub(crate) struct CicflowCsv<W: Write> {
    out: csv::Writer<W>,
    columns: Vec<usize>,
    profile: Profile,
    values: Vec<f64>,
}

impl<W: Write> CicflowCsv<W> {
    pub(crate) fn new(out: W, profile: Profile) -> anyhow::Result<Self> {
        let mut out = csv::Writer::from_writer(out);
        let identity: [&str; 7] = match profile {
            Profile::Fixed | Profile::V4 => [
                "Flow ID",
                "Src IP",
                "Src Port",
                "Dst IP",
                "Dst Port",
                "Protocol",
                "Timestamp",
            ],
            Profile::Cicids2017 => [
                "Flow ID",
                "Source IP",
                "Source Port",
                "Destination IP",
                "Destination Port",
                "Protocol",
                "Timestamp",
            ],
        };
        let names = cicflow::columns(profile).map(|(_, name)| name);
        out.write_record(identity.into_iter().chain(names).chain(["Label"]))?;
        Ok(Self {
            out,
            columns: cicflow::columns(profile).map(|(index, _)| index).collect(),
            profile,
            values: Vec::new(),
        })
    }

    pub(crate) fn write(&mut self, flow: &Flow, label: Option<&str>) -> anyhow::Result<()> {
        self.values.clear();
        cicflow::write(flow, &mut self.values);
        let key = &flow.key;
        let identity = [
            key.to_string(),
            IpAddr::from(key.source).to_string(),
            key.source_port.to_string(),
            IpAddr::from(key.destination).to_string(),
            key.destination_port.to_string(),
            key.protocol.to_string(),
            timestamp(flow.start_micros, self.profile),
        ];
        for cell in identity {
            self.out.write_field(cell)?;
        }
        for index in &self.columns {
            self.out.write_field(number(self.values[*index]))?;
        }
        self.out.write_field(label.unwrap_or(NO_LABEL))?;
        Ok(self.out.write_record(None::<&[u8]>)?)
    }

    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }
}

/// Java's spelling of what is no number.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        value.to_string()
    }
}

/// The corrected tool writes UTC with microseconds, the originals a local twelve-hour clock, for
/// which UTC stands here.
fn timestamp(micros: i64, profile: Profile) -> String {
    let Ok(time) = jiff::Timestamp::from_microsecond(micros) else {
        return micros.to_string();
    };
    let format = match profile {
        Profile::Fixed => "%Y-%m-%d %H:%M:%S%.6f",
        Profile::V4 => "%d/%m/%Y %I:%M:%S %p",
        Profile::Cicids2017 => "%d/%m/%Y %I:%M:%S",
    };
    time.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime(format)
        .to_string()
}
