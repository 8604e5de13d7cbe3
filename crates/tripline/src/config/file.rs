//! The file: TOML, whose tables only shorten names. `[kafka]` with `brokers` is `kafka-brokers`.

use toml::de::{DeTable, DeValue};

/// A key of the file with its value. It has no `Debug`: the value may be a secret.
pub(super) struct Entry {
    /// Name of the option that is meant.
    pub(super) name: String,
    /// The key as it stands there, with its tables.
    pub(super) written: String,
    /// Line, counted from 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

/// A value as TOML has it.
pub(super) enum Value {
    Text(String),
    Whole(String),
    Decimal(String),
    Switch(bool),
    List(Vec<Value>),
    /// What no option takes.
    Other(&'static str),
}

impl Value {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Whole(_) => "a whole number",
            Self::Decimal(_) => "a decimal number",
            Self::Switch(_) => "true or false",
            Self::List(_) => "a list",
            Self::Other(kind) => kind,
        }
    }
}

/// Something that is no TOML.
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Reads the text of a file. The words of an error never quote it, since a line may hold a secret.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Vec<SyntaxError>> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let errors = errors.into_iter().map(|error| SyntaxError {
            line: lines.line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        });
        return Err(errors.collect());
    }
    let mut entries = Vec::new();
    flatten(&lines, "", "", table.get_ref(), &mut entries);
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

fn flatten(
    lines: &Lines,
    name: &str,
    written: &str,
    table: &DeTable<'_>,
    entries: &mut Vec<Entry>,
) {
    for (key, value) in table {
        let own = key.get_ref();
        let (name, written) = if written.is_empty() {
            (own.replace('_', "-"), own.to_string())
        } else {
            (
                format!("{name}-{}", own.replace('_', "-")),
                format!("{written}.{own}"),
            )
        };
        match value.get_ref() {
            DeValue::Table(inner) => flatten(lines, &name, &written, inner, entries),
            other => entries.push(Entry {
                name,
                written,
                line: lines.line(key.span().start),
                value: read(other),
            }),
        }
    }
}

fn read(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Whole(number.to_string()),
            Err(_) => Value::Other("a number without end"),
        },
        DeValue::Float(number) => Value::Decimal(number.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Switch(*value),
        DeValue::Array(values) => {
            Value::List(values.iter().map(|value| read(value.get_ref())).collect())
        }
        DeValue::Datetime(_) => Value::Other("a time"),
        DeValue::Table(_) => Value::Other("a table"),
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(place, _)| place).collect())
    }

    /// The line of a byte, counted from 1.
    fn line(&self, byte: usize) -> usize {
        self.0.partition_point(|end| *end < byte) + 1
    }
}
