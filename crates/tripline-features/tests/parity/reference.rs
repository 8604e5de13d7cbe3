//! The recorded outputs of the original programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tripline_features::cicflow;
use tripline_flow::{Flow, Profile};

/// The folder with public data; `None` when it is not there.
pub(crate) fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("TRIPLINE_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if folder.join("captures").is_dir() {
        return Some(folder);
    }
    println!("skipped: no captures in {}", folder.display());
    None
}

pub(crate) fn text(path: &Path) -> String {
    let file = std::fs::File::open(path).unwrap();
    if path.extension().is_some_and(|end| end == "zst") {
        String::from_utf8(zstd::decode_all(file).unwrap()).unwrap()
    } else {
        std::io::read_to_string(file).unwrap()
    }
}

/// The flows that a program wrote for a capture.
#[derive(Debug)]
pub(crate) struct Reference {
    /// Feature and place in a row, of every column that is a feature.
    columns: Vec<(usize, usize)>,
    /// Rows by `source-destination-ports-protocol`; cells by column.
    rows: BTreeMap<String, Vec<Vec<String>>>,
}

/// What comparing a flow with the row that is closest to it gave.
#[derive(Debug)]
pub(crate) enum Match {
    Extra,
    /// Names of the features that differ.
    Row(Vec<&'static str>),
}

const TIMESTAMP: usize = 6;

impl Reference {
    /// `None` when the program wrote no header: it did not read the capture.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = text(path);
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next()?.split(',').collect();
        if header.len() < 80 {
            return None;
        }
        let columns: Vec<(usize, usize)> = header
            .iter()
            .enumerate()
            .skip(TIMESTAMP + 1)
            .filter_map(|(place, name)| Some((cicflow().index_of(name)?, place)))
            .collect();
        // All but the identity in front and the label behind.
        assert_eq!(columns.len(), header.len() - TIMESTAMP - 2, "{header:?}");
        let mut rows: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for line in lines {
            let cells: Vec<String> = line.split(',').map(ToOwned::to_owned).collect();
            assert_eq!(cells.len(), header.len(), "{line}");
            let id = [1, 3, 2, 4, 5].map(|place| cells[place].as_str()).join("-");
            rows.entry(id).or_default().push(cells);
        }
        Some(Self { columns, rows })
    }

    pub(crate) fn flows(&self) -> u64 {
        self.rows.values().map(|rows| rows.len() as u64).sum()
    }

    /// Cells that are compared for each flow: its features and its time.
    pub(crate) fn cells(&self) -> u64 {
        self.columns.len() as u64 + 1
    }

    /// Takes out a row that agrees with the flow in everything; false if there is none.
    pub(crate) fn take_same(&mut self, flow: &Flow, values: &[f64]) -> bool {
        let columns = &self.columns;
        let Some(rows) = self.rows.get_mut(&flow.key.to_string()) else {
            return false;
        };
        let same = rows
            .iter()
            .position(|cells| differences(columns, flow, values, cells).next().is_none());
        same.map(|at| rows.remove(at)).is_some()
    }

    /// Takes out the row that agrees best with the flow.
    pub(crate) fn take(&mut self, flow: &Flow, values: &[f64]) -> Match {
        let columns = &self.columns;
        let Some(rows) = self.rows.get_mut(&flow.key.to_string()) else {
            return Match::Extra;
        };
        let best = rows
            .iter()
            .enumerate()
            .min_by_key(|(_, cells)| differences(columns, flow, values, cells).count())
            .map(|(at, _)| at);
        match best {
            None => Match::Extra,
            Some(at) => {
                let cells = rows.remove(at);
                Match::Row(differences(columns, flow, values, &cells).collect())
            }
        }
    }

    /// The flows that nobody took.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&str, u64)> {
        self.rows
            .iter()
            .filter(|(_, rows)| !rows.is_empty())
            .map(|(id, rows)| (id.as_str(), rows.len() as u64))
    }
}

/// Features that differ.
fn differences<'a>(
    columns: &'a [(usize, usize)],
    flow: &'a Flow,
    values: &'a [f64],
    cells: &'a [String],
) -> impl Iterator<Item = &'static str> + 'a {
    let time = (!is_start(flow, &cells[TIMESTAMP])).then_some("Timestamp");
    columns
        .iter()
        .filter(|(feature, place)| !is_same(values[*feature], &cells[*place]))
        .map(|(feature, _)| cicflow().features()[*feature].name)
        .chain(time)
}

fn is_same(ours: f64, theirs: &str) -> bool {
    let theirs: f64 = match theirs {
        "Infinity" => f64::INFINITY,
        text => text.parse().unwrap(),
    };
    let largest = ours.abs().max(theirs.abs());
    ours == theirs || (ours.is_nan() && theirs.is_nan()) || (ours - theirs).abs() <= 1e-9 * largest
}

/// The corrected tool writes `2009-01-04 05:02:26.892599`, upstream `04/01/2009 05:02:26 AM`.
fn is_start(flow: &Flow, text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let number = |text: &str| text.parse::<i64>().unwrap();
    let (date, time) = text.split_once(' ').unwrap();
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let (clock, half) = clock.split_once(' ').unwrap_or((clock, ""));
    let [hour, minute, second] = clock
        .split(':')
        .map(number)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let hour = match half {
        "" => hour,
        "PM" => hour % 12 + 12,
        _ => hour % 12,
    };
    let parts: Vec<i64> = date.split(['-', '/']).map(number).collect();
    let (year, month, day) = match flow.profile {
        Profile::Fixed => (parts[0], parts[1], parts[2]),
        Profile::V4 | Profile::Cicids2017 => (parts[2], parts[1], parts[0]),
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    match flow.profile {
        Profile::Fixed => {
            flow.start_micros == seconds * 1_000_000 + number(&format!("{fraction:0<6}"))
        }
        Profile::V4 | Profile::Cicids2017 => flow.start_micros.div_euclid(1_000_000) == seconds,
    }
}

/// Days since 1970 of a date (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
