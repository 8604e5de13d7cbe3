//! The numbers of flows against CICFlowMeter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use tripline_features::live::cicflow;
use tripline_flow::{Flow, Profile};

use crate::capture::Capture;
use crate::causes::{Cause, DECLARED, Difference, explain};
use crate::document;
use crate::reference::{Match, Reference, data};

const TOOLS: [(Profile, &str); 2] = [(Profile::Fixed, "fixed"), (Profile::V4, "master")];
const FOLDERS: [&str; 3] = ["attack", "benign", "nasty"];

/// What came out for one profile and folder.
#[derive(Debug, Default)]
struct Tally {
    captures: u64,
    flows: u64,
    missing: u64,
    extra: u64,
    cells: u64,
    wrong: u64,
}

/// What one cause explains.
#[derive(Debug, Default)]
struct Explained {
    missing: u64,
    extra: u64,
    flows: u64,
    cells: u64,
    captures: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Comparison {
    tallies: BTreeMap<(usize, usize), Tally>,
    causes: BTreeMap<(usize, Cause), Explained>,
    used: BTreeSet<usize>,
    unexplained: Vec<String>,
}

#[test]
fn golden() {
    let Some(data) = data() else { return };
    let golden = data.join("../spec/golden");
    for (profile, name, features) in [
        (Profile::Fixed, "pf", 87),
        (Profile::V4, "pm", 77),
        (Profile::Cicids2017, "p17", 77),
    ] {
        let mut reference = Reference::read(&golden.join(format!("expected_{name}.csv"))).unwrap();
        assert_eq!(reference.cells(), features, "{name}");
        let flows = Capture::read(&golden.join("golden.pcap")).flows(profile);
        assert_eq!(flows.len() as u64, reference.flows(), "{name}");
        for flow in flows {
            let mut values = Vec::new();
            cicflow::write(&flow, &mut values);
            match reference.take(&flow, &values) {
                Match::Row(differences) => assert!(
                    differences.is_empty(),
                    "{name} {} {differences:?}",
                    flow.key
                ),
                Match::Extra => panic!("{name}: no flow {}", flow.key),
            }
        }
    }
}

#[test]
fn captures() {
    let Some(data) = data() else { return };
    let mut comparison = Comparison::default();
    for (tool, (profile, tool_name)) in TOOLS.into_iter().enumerate() {
        for (folder, folder_name) in FOLDERS.into_iter().enumerate() {
            let recorded = data.join(format!(
                "captures/reference/cicflowmeter-{tool_name}/{folder_name}"
            ));
            let captures = data.join("captures").join(folder_name);
            let mut files: Vec<String> = std::fs::read_dir(&recorded)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            for file in files {
                let name = file.strip_suffix("_Flow.csv.zst").unwrap();
                let reference = Reference::read(&recorded.join(&file)).unwrap();
                let capture = Capture::read(&captures.join(name));
                comparison.compare((tool, folder), profile, name, &capture, reference);
            }
        }
    }
    assert!(
        comparison.unexplained.is_empty(),
        "unexplained:\n{}",
        comparison.unexplained.join("\n")
    );
    let idle: Vec<_> = (0..DECLARED.len())
        .filter(|place| !comparison.used.contains(place))
        .map(|place| &DECLARED[place])
        .collect();
    assert!(idle.is_empty(), "declared and not found: {idle:#?}");
    for cause in Cause::ALL {
        assert!(
            comparison.causes.keys().any(|(_, found)| *found == cause),
            "no difference has the cause {cause:?}"
        );
    }
    for ((tool, folder), tally) in &comparison.tallies {
        let equal = 1.0 - tally.wrong as f64 / tally.cells as f64;
        assert!(
            equal >= 0.999,
            "{} {}: {equal}",
            TOOLS[*tool].1,
            FOLDERS[*folder]
        );
    }
    document::compare("cicflow", &comparison.page());
}

impl Comparison {
    fn compare(
        &mut self,
        at: (usize, usize),
        profile: Profile,
        name: &str,
        capture: &Capture,
        mut reference: Reference,
    ) {
        let tally = self.tallies.entry(at).or_default();
        tally.captures += 1;
        tally.flows += reference.flows();
        let flows: Vec<(Flow, Vec<f64>)> = capture
            .flows(profile)
            .into_iter()
            .map(|flow| {
                let mut values = Vec::new();
                cicflow::write(&flow, &mut values);
                (flow, values)
            })
            .collect();
        // What is the same is taken first, so that it explains nothing else away.
        let (same, others): (Vec<_>, Vec<_>) = flows
            .iter()
            .partition(|(flow, values)| reference.take_same(flow, values));
        tally.cells += reference.cells() * same.len() as u64;
        for (flow, values) in others {
            let tally = self.tallies.entry(at).or_default();
            match reference.take(flow, values) {
                Match::Extra => {
                    tally.extra += 1;
                    self.note(at.0, name, capture, Difference::Extra(flow), 1);
                }
                Match::Row(differences) => {
                    tally.cells += reference.cells();
                    tally.wrong += differences.len() as u64;
                    let cells = differences.len() as u64;
                    self.note(at.0, name, capture, Difference::Cells(flow), cells);
                }
            }
        }
        for (id, count) in reference.rest() {
            self.tallies.entry(at).or_default().missing += count;
            self.note(at.0, name, capture, Difference::Missing(id), count);
        }
    }

    fn note(
        &mut self,
        tool: usize,
        name: &str,
        capture: &Capture,
        difference: Difference<'_>,
        count: u64,
    ) {
        let Some((cause, place)) = explain(name, capture, TOOLS[tool].0, difference) else {
            let what = match difference {
                Difference::Missing(id) => format!("missing {id}"),
                Difference::Extra(flow) => format!("extra {}", flow.key),
                Difference::Cells(flow) => format!("{count} cells of {}", flow.key),
            };
            self.unexplained
                .push(format!("{} {name} {what}", TOOLS[tool].1));
            return;
        };
        self.used.extend(place);
        let explained = self.causes.entry((tool, cause)).or_default();
        explained.captures.insert(name.to_owned());
        match difference {
            Difference::Missing(_) => explained.missing += count,
            Difference::Extra(_) => explained.extra += count,
            Difference::Cells(_) => {
                explained.flows += 1;
                explained.cells += count;
            }
        }
    }

    /// The section of the document.
    fn page(&self) -> String {
        let mut page = String::new();
        for ((tool, folder), tally) in &self.tallies {
            writeln!(
                page,
                "| `{}` | {} | {} | {} | {} | {} | {} | {} | {:.4} % |",
                TOOLS[*tool].0.name(),
                FOLDERS[*folder],
                tally.captures,
                tally.flows,
                tally.missing,
                tally.extra,
                tally.cells,
                tally.wrong,
                100.0 * (1.0 - tally.wrong as f64 / tally.cells as f64),
            )
            .unwrap();
        }
        let mut causes = String::new();
        for cause in Cause::ALL {
            let mut counts = [const { String::new() }; 2];
            let mut names = BTreeSet::new();
            for (tool, text) in counts.iter_mut().enumerate() {
                *text = match self.causes.get(&(tool, cause)) {
                    None => "–".to_owned(),
                    Some(found) => {
                        names.extend(found.captures.iter());
                        format!("{} / {} / {}", found.missing, found.extra, found.cells)
                    }
                };
            }
            let how = if cause.is_seen_in_frames() {
                "frames".to_owned()
            } else {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                names.join(", ")
            };
            let [fixed, v4] = counts;
            writeln!(causes, "| {} | {fixed} | {v4} | {how} |", cause.text()).unwrap();
        }
        format!(
            "| profile | captures of | captures | their flows | only theirs | only ours \
             | cells compared | cells that differ | equal |\n\
             |---|---|---|---|---|---|---|---|---|\n{page}\n\
             Every difference has one of these causes; a test fails for one that has none, and for a\n\
             declared one that no longer occurs. Numbers are flows only theirs / flows only ours /\n\
             cells. \"Frames\" means that the test finds the cause in the frames of each such flow,\n\
             the others are declared for the captures named.\n\n\
             | cause | `fixed` | `v4` | found in |\n|---|---|---|---|\n{causes}"
        )
    }
}
