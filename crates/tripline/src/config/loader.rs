//! Where the four levels meet.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as _,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgMatches, Command, FromArgMatches, builder::Resettable, error::ErrorKind};

use super::{
    arguments::{
        CONFIGURED, EXCLUSIVE, FILE_OPTION, Kind, at, command, expected, is_secret, kind, name,
        options, typed,
    },
    effective::{Configuration, Effective},
    file,
    problems::Problems,
};
use crate::cli::{Cli, read_capped};

/// The variable that names the file.
const FILE_VARIABLE: &str = "TRIPLINE_CONFIG";
/// Longest file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Longest part of a wrong value that is shown.
const SHOWN: usize = 80;

/// Where a value comes from; a later one gives way to an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was typed.
    CommandLine,
    /// A variable of the environment.
    Environment(String),
    /// A line of the file.
    File(PathBuf, usize),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => formatter.write_str("command line"),
            Self::Environment(name) => formatter.write_str(name),
            Self::File(path, line) => write!(formatter, "{}:{line}", path.display()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// Reads the options of a command again and again: the words that were typed and the environment
/// stay as they were at the start, the file is as it is now.
#[derive(Clone)]
pub(crate) struct Loader {
    words: Vec<OsString>,
    /// The names of the command.
    way: &'static [&'static str],
    /// Names of the options that were typed.
    given: BTreeSet<String>,
    file: Option<PathBuf>,
}

impl fmt::Debug for Loader {
    /// Without the words, among which there may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Loader");
        debug.field("way", &self.way).field("file", &self.file);
        debug.finish_non_exhaustive()
    }
}

/// What the levels come to. Where there are problems, the values that have one are left out.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// As if everything had been typed.
    pub(crate) cli: Option<Cli>,
    /// Every option with its origin.
    pub(crate) configuration: Configuration,
    pub(crate) problems: Problems,
}

/// Reads what was typed. For a command whose options may stand in a file there is a loader, and
/// what is answered beside it is the command line alone.
pub(crate) fn read(words: Vec<OsString>) -> Result<(Cli, Option<Loader>), clap::Error> {
    let options = options();
    let without_environment = |arg: Arg| {
        let is_option = options.iter().any(|option| option.get_id() == arg.get_id());
        if is_option || arg.get_id() == FILE_OPTION {
            arg.env(Resettable::Reset)
        } else {
            arg
        }
    };
    // What a variable says is read by the loader, which names it when it is wrong.
    let bare = CONFIGURED.iter().fold(command(), |command, way| {
        at(command, way, &|command| {
            command.mut_args(&without_environment)
        })
    });
    let bare = bare.mut_args(&without_environment);
    let matches = match bare.try_get_matches_from(&words) {
        Ok(matches) => matches,
        // The page of help names variables.
        Err(error) if !error.use_stderr() => {
            let full = command().try_get_matches_from(&words);
            return Err(full.err().unwrap_or(error));
        }
        Err(error) => return Err(error),
    };
    let (way, leaf) = leaf(&matches);
    let Some(way) = CONFIGURED.into_iter().find(|known| **known == *way) else {
        let matches = command().try_get_matches_from(&words)?;
        return Ok((Cli::from_arg_matches(&matches)?, None));
    };
    let cli = Cli::from_arg_matches(&matches)?;
    let typed = |option: &&Arg| {
        let source = leaf.value_source(option.get_id().as_str());
        source == Some(clap::parser::ValueSource::CommandLine)
    };
    let file = match leaf.get_one::<PathBuf>(FILE_OPTION) {
        Some(path) => Some(path.clone()),
        None => std::env::var_os(FILE_VARIABLE)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from),
    };
    let loader = Loader {
        given: options
            .iter()
            .filter(typed)
            .map(|arg| name(arg).to_owned())
            .collect(),
        words,
        way,
        file,
    };
    Ok((cli, Some(loader)))
}

/// The innermost command, and the names that lead to it.
fn leaf(matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let (mut way, mut leaf) = (Vec::new(), matches);
    while let Some((name, inner)) = leaf.subcommand() {
        way.push(name);
        leaf = inner;
    }
    (way, leaf)
}

/// The values that a level gives.
#[derive(Default)]
struct Levels {
    /// Of the file, by the name of the option: line and values.
    file: BTreeMap<String, (usize, Vec<String>)>,
    /// Names of options that a variable sets.
    environment: BTreeMap<String, String>,
    /// Names of options whose variable is passed over.
    dropped: BTreeSet<String>,
}

impl Loader {
    /// Reads all levels.
    pub(crate) fn load(&self) -> Loaded {
        let mut problems = Problems::default();
        let options = options();
        let mut levels = Levels::default();
        if let Some(path) = &self.file {
            read_file(path, &options, &mut levels, &mut problems);
        }
        read_environment(&options, &mut levels, &mut problems);
        self.exclude(&mut levels, &mut problems);
        let mut configuration = Configuration {
            file: self.file.clone(),
            options: Vec::new(),
        };
        let command = self.command(&options, &levels);
        let cli = command
            .try_get_matches_from(&self.words)
            .and_then(|matches| {
                let leaf = leaf(&matches).1;
                let effective = options
                    .iter()
                    .map(|option| Effective::new(option, leaf, self.origin(name(option), &levels)));
                configuration.options = effective.collect();
                Cli::from_arg_matches(&matches)
            });
        Loaded {
            // Every value was checked at its level, so an error here is about something else.
            cli: cli.map_err(|error| problems.add(first_line(&error))).ok(),
            configuration,
            problems,
        }
    }

    fn origin(&self, name: &str, levels: &Levels) -> Origin {
        if self.given.contains(name) {
            return Origin::CommandLine;
        }
        if let Some(variable) = levels.environment.get(name) {
            return Origin::Environment(variable.clone());
        }
        match (levels.file.get(name), &self.file) {
            (Some((line, _)), Some(path)) => Origin::File(path.clone(), *line),
            _ => Origin::Default,
        }
    }

    /// The command with what is weaker than the command line and the environment as defaults.
    fn command(&self, options: &[Arg], levels: &Levels) -> Command {
        let change = |arg: Arg| {
            if arg.get_id() == FILE_OPTION {
                return arg.env(Resettable::Reset);
            }
            if !options.iter().any(|option| option.get_id() == arg.get_id()) {
                return arg;
            }
            let name = name(&arg).to_owned();
            let arg = if levels.dropped.contains(&name) {
                arg.env(Resettable::Reset)
            } else {
                arg
            };
            match levels.file.get(&name) {
                Some((_, values)) if matches!(self.origin(&name, levels), Origin::File(..)) => {
                    // Values of a list stand alone in the file, so a comma separates nothing.
                    arg.default_values(values.clone())
                        .value_delimiter(Resettable::Reset)
                }
                _ => arg,
            }
        };
        let everywhere = |command: Command| command.mut_args(&change);
        everywhere(at(command(), self.way, &everywhere))
    }

    /// Of options that exclude each other the one at the stronger level stays.
    fn exclude(&self, levels: &mut Levels, problems: &mut Problems) {
        let rank = |name: &str, levels: &Levels| match self.origin(name, levels) {
            Origin::CommandLine => 3,
            Origin::Environment(_) => 2,
            Origin::File(..) => 1,
            Origin::Default => 0,
        };
        for [one, other] in EXCLUSIVE {
            let (ranks, weaker) = match (rank(one, levels), rank(other, levels)) {
                (a, b) if a < b => ((a, b), one),
                (a, b) => ((a, b), other),
            };
            if ranks.0 == 0 || ranks.1 == 0 {
                continue;
            }
            if ranks.0 == ranks.1 {
                problems.add(format!(
                    "{one} ({}) and {other} ({}) exclude each other: expected one of them",
                    self.origin(one, levels),
                    self.origin(other, levels)
                ));
            }
            levels.file.remove(weaker);
            levels.environment.remove(weaker);
            levels.dropped.insert(weaker.to_owned());
        }
    }
}

fn read_file(path: &Path, options: &[Arg], levels: &mut Levels, problems: &mut Problems) {
    let text = read_capped(path, "--config", MAX_FILE_BYTES);
    let Some(text) = problems.keep(text) else {
        return;
    };
    let entries = match file::parse(&text) {
        Ok(entries) => entries,
        Err(errors) => {
            for error in errors {
                let place = Origin::File(path.to_owned(), error.line);
                problems.add(format!("{place}: this is no TOML: {}", error.message));
            }
            return;
        }
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        let place = Origin::File(path.to_owned(), entry.line);
        let written = &entry.written;
        let Some(option) = options.iter().find(|option| name(option) == entry.name) else {
            problems.add(unknown_key(&place, &entry, options));
            continue;
        };
        if let Some(line) = seen.insert(entry.name.clone(), entry.line) {
            problems.add(format!(
                "{place}: {written} is --{} again, which is said in line {line} already",
                entry.name
            ));
            continue;
        }
        let Some(values) = typed(option, &entry.value) else {
            problems.add(format!(
                "{place}: {written} is {}, expected {}",
                entry.value.kind(),
                expected(option)
            ));
            continue;
        };
        let values_os = values.iter().map(OsString::from).collect::<Vec<_>>();
        match check(option, &values_os, false) {
            Ok(()) => {
                levels.file.insert(entry.name, (entry.line, values));
            }
            Err(reason) => problems.add(format!("{place}: {written}{reason}")),
        }
    }
}

fn read_environment(options: &[Arg], levels: &mut Levels, problems: &mut Problems) {
    for option in options {
        let Some(variable) = option.get_env() else {
            continue;
        };
        let Some(value) = std::env::var_os(variable) else {
            continue;
        };
        let variable = variable.to_string_lossy().into_owned();
        match check(option, &[value], true) {
            Ok(()) => {
                levels.environment.insert(name(option).to_owned(), variable);
            }
            Err(reason) => {
                problems.add(format!("{variable}{reason}"));
                levels.dropped.insert(name(option).to_owned());
            }
        }
    }
}

/// Reads values by the parser of their option. The error continues a sentence that begins with
/// where they stand.
fn check(option: &Arg, values: &[OsString], comma_separates: bool) -> Result<(), String> {
    let mut arg = option.clone().env(Resettable::Reset);
    if !comma_separates {
        arg = arg.value_delimiter(Resettable::Reset);
    }
    let command = Command::new("value")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(arg);
    for value in values {
        let mut word = OsString::from(format!("--{}=", name(option)));
        word.push(value);
        if let Err(error) = command.clone().try_get_matches_from([word]) {
            return Err(refusal(option, value, &error));
        }
    }
    Ok(())
}

fn refusal(option: &Arg, value: &OsStr, error: &clap::Error) -> String {
    let expected = format!(", expected {}", expected(option));
    if value.is_empty() {
        return format!(" is empty{expected}");
    }
    let reason = match (error.kind(), error.source()) {
        (ErrorKind::ValueValidation, Some(reason)) => format!(": {reason}"),
        (ErrorKind::InvalidUtf8, _) => ": it is not UTF-8".to_owned(),
        _ => String::new(),
    };
    // That a text is one is known.
    let is_said = kind(option) == Kind::Text && !reason.is_empty() && expected.contains(" a text");
    let expected = if is_said { "" } else { expected.as_str() };
    if is_secret(option) {
        return format!(" cannot be used{reason}{expected}");
    }
    let shown: String = value.to_string_lossy().chars().take(SHOWN).collect();
    format!(" is '{shown}'{reason}{expected}")
}

fn unknown_key(place: &Origin, entry: &file::Entry, options: &[Arg]) -> String {
    let written = &entry.written;
    if entry.name == FILE_OPTION {
        return format!("{place}: {written}: a file cannot name another one");
    }
    let meant = nearest(&entry.name, options.iter().map(name));
    match meant {
        Some(meant) => {
            format!("{place}: {written} is no option of tripline serve; is {meant} meant?")
        }
        None => format!("{place}: {written} is no option of tripline serve"),
    }
}

/// The name that is most like another, if one is.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// The same as clap uses for what is typed.
    const ALIKE: f64 = 0.7;
    names
        .map(|name| (strsim::jaro_winkler(text, name), name))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// The words of clap without the way to its help.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}
