//! What messages look like: from bytes to rows of named values.
//!
//! Three forms are read, alone, as an array, or one after the other in one message:
//!
//! - **flat**: `{"service": "http", "src_bytes": 181, …}`, as the topic `network-traffic` has it;
//! - **external**: `{"sender_ip": "192.0.2.7", "timestamp": …, "features": {…}}`, or the same with
//!   the values beside `sender_ip` instead of inside `features`;
//! - **envelope**: `{"schema": "nsl-kdd", "schema_version": 1, "id": …, "timestamp": …,
//!   "source": …, "rows": [{…}, …]}`, or `features` for a single row.
//!
//! A row is a list of names with numbers, texts, booleans or null. Which names a schema has is not
//! known here. A message that is none of this is [`Poison`]: it is told from an error because there
//! is nothing to retry.
//!
//! Limits hold while bytes become values, so that no message takes more memory than they allow.

mod capped;
mod python;
mod time;

use serde_json::{Map, Value};
use thiserror::Error;

pub use time::event_time;

use crate::Message;

/// How much one message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the payload.
    pub payload_bytes: usize,
    /// Objects and arrays inside each other.
    pub depth: usize,
    /// Rows; never more than [`MAX_ROWS`](crate::MAX_ROWS), so that each has its identity.
    pub rows: usize,
    /// Values in one object.
    pub fields: usize,
    /// Bytes of a name.
    pub name_bytes: usize,
    /// Bytes of a text.
    pub text_bytes: usize,
    /// Values in the whole message.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes: 1 << 20,
            depth: 4,
            rows: crate::MAX_ROWS,
            fields: 512,
            name_bytes: 128,
            text_bytes: 1024,
            values: 1 << 18,
        }
    }
}

/// What a message holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// The rows, at least one, in their order.
    pub rows: Vec<Row>,
    /// The address that the payload gives as its sender's, as it is written.
    pub sender: Option<String>,
}

/// One row of a message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Names with numbers, texts, booleans or null, in the order of the message.
    pub fields: Map<String, Value>,
    /// The form it came in.
    pub form: Form,
    /// Name of the schema, when the message says it.
    pub schema: Option<String>,
    /// Version of the schema, when the message says it.
    pub schema_version: Option<u32>,
    /// The sender's own name for the row or its message.
    pub id: Option<String>,
    /// The sender's own name for where it came from.
    pub source: Option<String>,
    /// When it happened, in microseconds since 1970, when the message says it.
    pub event_time: Option<i64>,
}

/// The form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Form {
    /// An object of values.
    #[default]
    Flat,
    /// An object that names its sender, or has its values inside `features`.
    External,
    /// An object that names its schema.
    Envelope,
}

/// Why a message can never be read. The text says what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct Poison {
    /// The kind, for counters.
    pub cause: Cause,
    /// What was found and what was expected.
    pub detail: String,
}

/// Kinds of poison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// There is no payload, or an empty one.
    Empty,
    /// It holds more than is allowed.
    TooLarge,
    /// It is no JSON.
    NotJson,
    /// It is JSON of another shape.
    Shape,
    /// A header cannot be read.
    Headers,
    /// Its sender is not admitted.
    Sender,
    /// It was read, and whoever judges its rows refuses them.
    Rejected,
}

impl Cause {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::TooLarge,
        Self::NotJson,
        Self::Shape,
        Self::Headers,
        Self::Sender,
        Self::Rejected,
    ];

    /// The name in counters and in headers of dead letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::Shape => "shape",
            Self::Headers => "headers",
            Self::Sender => "sender",
            Self::Rejected => "rejected",
        }
    }
}

impl Poison {
    /// Poison of a kind, with words that say what was found and what was expected.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self {
            cause,
            detail: detail.into(),
        }
    }

    fn shape(detail: impl Into<String>) -> Self {
        Self::new(Cause::Shape, detail)
    }
}

/// Names that say something about a row and are none of its values.
const SENDER: &str = "sender_ip";
const TIMESTAMP: &str = "timestamp";
const FEATURES: &str = "features";
const ROWS: &str = "rows";
const SCHEMA: &str = "schema";
const ENVELOPE: [&str; 8] = [
    SCHEMA,
    "schema_version",
    "id",
    TIMESTAMP,
    "source",
    SENDER,
    ROWS,
    FEATURES,
];

/// Reads a message; one with headers that cannot be read is poison, since what they say may matter.
pub fn read_message(message: &Message, limits: &Limits) -> Result<Reading, Poison> {
    if message.has_unreadable_headers {
        return Err(Poison::new(
            Cause::Headers,
            "a header has a name that is no UTF-8 text",
        ));
    }
    read(message.payload.as_deref(), limits)
}

/// Reads the payload of a message.
///
/// `NaN`, `Infinity` and `-Infinity`, which Python writes into JSON, are read as texts of that
/// name; what becomes of them is for the reader of features to say.
pub fn read(payload: Option<&[u8]>, limits: &Limits) -> Result<Reading, Poison> {
    let payload = payload.unwrap_or_default();
    if payload.len() > limits.payload_bytes {
        return Err(Poison::new(
            Cause::TooLarge,
            format!(
                "the payload has {} bytes, at most {} are read",
                payload.len(),
                limits.payload_bytes
            ),
        ));
    }
    let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    if payload.trim_ascii().is_empty() {
        return Err(Poison::new(
            Cause::Empty,
            "the message has no payload; expected a JSON object",
        ));
    }
    let values = match capped::read(payload, limits) {
        Err(poison) if poison.cause == Cause::NotJson => match python::quoted(payload) {
            Some(quoted) => capped::read(&quoted, limits)?,
            None => return Err(poison),
        },
        values => values?,
    };
    let limits = Limits {
        rows: limits.rows.min(crate::MAX_ROWS),
        ..*limits
    };
    let mut reading = Reading::default();
    for value in values {
        match value {
            Value::Array(items) => {
                for item in items {
                    reading.take(object(item, "an item of the array")?, &limits)?;
                }
            }
            value => reading.take(object(value, "the message")?, &limits)?,
        }
    }
    if reading.rows.is_empty() {
        return Err(Poison::shape("the message has no rows"));
    }
    Ok(reading)
}

impl Reading {
    fn take(&mut self, mut object: Map<String, Value>, limits: &Limits) -> Result<(), Poison> {
        if let Some(sender) = take(&mut object, SENDER) {
            let sender = text(SENDER, sender)?;
            match &self.sender {
                Some(other) if *other != sender => {
                    return Err(Poison::new(
                        Cause::Sender,
                        format!("one message has two senders: '{other}' and '{sender}'"),
                    ));
                }
                _ => self.sender = Some(sender),
            }
            return self.take_named(object, Form::External, limits);
        }
        self.take_named(object, Form::Flat, limits)
    }

    fn take_named(
        &mut self,
        mut object: Map<String, Value>,
        form: Form,
        limits: &Limits,
    ) -> Result<(), Poison> {
        if object.get(SCHEMA).is_some_and(Value::is_string)
            && (object.contains_key(ROWS) || object.contains_key(FEATURES))
        {
            return self.take_envelope(object, limits);
        }
        match take(&mut object, FEATURES) {
            Some(Value::Object(fields)) => {
                let head = Row {
                    form: Form::External,
                    event_time: object.get(TIMESTAMP).and_then(event_time),
                    ..Row::default()
                };
                self.push(fields, head, limits)
            }
            Some(other) => Err(unexpected(FEATURES, "an object", &other)),
            None => {
                let head = Row {
                    form,
                    ..Row::default()
                };
                self.push(object, head, limits)
            }
        }
    }

    fn take_envelope(
        &mut self,
        mut object: Map<String, Value>,
        limits: &Limits,
    ) -> Result<(), Poison> {
        if let Some(unknown) = object.keys().find(|key| !ENVELOPE.contains(&key.as_str())) {
            return Err(Poison::shape(format!(
                "the envelope has an unknown key '{unknown}'; it may have {}",
                ENVELOPE.join(", ")
            )));
        }
        let head = envelope_head(&mut object)?;
        match (take(&mut object, ROWS), take(&mut object, FEATURES)) {
            (Some(Value::Array(rows)), None) => {
                for row in rows {
                    let mut fields = crate::form::object(row, "an item of rows")?;
                    let mut head = head.clone();
                    // A row of an envelope may have a time and a name of its own.
                    if let Some(Value::Object(inner)) = fields.get_mut(FEATURES) {
                        let inner = std::mem::take(inner);
                        if let Some(time) = take(&mut fields, TIMESTAMP) {
                            head.event_time = Some(strict_time(&time)?);
                        }
                        if let Some(id) = take(&mut fields, "id") {
                            head.id = Some(text("id", id)?);
                        }
                        fields = inner;
                    }
                    self.push(fields, head, limits)?;
                }
                Ok(())
            }
            (None, Some(Value::Object(fields))) => self.push(fields, head, limits),
            (Some(_), Some(_)) => Err(Poison::shape("the envelope has both rows and features")),
            (Some(other), None) => Err(unexpected(ROWS, "an array of objects", &other)),
            (None, other) => Err(unexpected(
                FEATURES,
                "an object",
                &other.unwrap_or_default(),
            )),
        }
    }

    fn push(
        &mut self,
        mut fields: Map<String, Value>,
        mut row: Row,
        limits: &Limits,
    ) -> Result<(), Poison> {
        if self.rows.len() == limits.rows {
            return Err(Poison::new(
                Cause::TooLarge,
                format!("the message has more than {} rows", limits.rows),
            ));
        }
        if row.event_time.is_none()
            && let Some(time) = fields.get(TIMESTAMP).and_then(event_time)
        {
            row.event_time = Some(time);
            fields.shift_remove(TIMESTAMP);
        }
        if fields.is_empty() {
            return Err(Poison::shape(format!(
                "row {} has no values",
                self.rows.len() + 1
            )));
        }
        for (name, value) in &fields {
            if value.is_array() || value.is_object() {
                return Err(unexpected(name, "a number, text, boolean or null", value));
            }
        }
        row.fields = fields;
        self.rows.push(row);
        Ok(())
    }
}

fn envelope_head(object: &mut Map<String, Value>) -> Result<Row, Poison> {
    let mut head = Row {
        form: Form::Envelope,
        ..Row::default()
    };
    if let Some(schema) = take(object, SCHEMA) {
        head.schema = Some(text(SCHEMA, schema)?);
    }
    if let Some(version) = take(object, "schema_version") {
        let number = version
            .as_u64()
            .and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| {
            unexpected(
                "schema_version",
                "a whole number from 0 to 2^32-1",
                &version,
            )
        })?;
        head.schema_version = Some(number);
    }
    if let Some(id) = take(object, "id") {
        head.id = Some(text("id", id)?);
    }
    if let Some(source) = take(object, "source") {
        head.source = Some(text("source", source)?);
    }
    if let Some(time) = take(object, TIMESTAMP) {
        head.event_time = Some(strict_time(&time)?);
    }
    Ok(head)
}

fn strict_time(value: &Value) -> Result<i64, Poison> {
    event_time(value).ok_or_else(|| {
        unexpected(
            TIMESTAMP,
            "a time by RFC 3339, or seconds, milliseconds or microseconds since 1970",
            value,
        )
    })
}

/// Takes a member out; null counts as absent.
fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    object
        .shift_remove(name)
        .filter(|value| !Value::is_null(value))
}

fn text(name: &str, value: Value) -> Result<String, Poison> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(unexpected(name, "a text", &other)),
    }
}

fn object(value: Value, what: &str) -> Result<Map<String, Value>, Poison> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(Poison::shape(format!(
            "{what} is {}, expected a JSON object",
            kind(&other)
        ))),
    }
}

fn unexpected(name: &str, expected: &str, found: &Value) -> Poison {
    Poison::shape(format!(
        "'{name}' is {}, expected {expected}",
        match found {
            Value::Number(number) => number.to_string(),
            Value::String(text) => format!("'{}'", excerpt(text)),
            other => kind(other).to_owned(),
        }
    ))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
