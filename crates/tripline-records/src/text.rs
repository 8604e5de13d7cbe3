//! Values of text fields.

use std::{borrow::Cow, net::IpAddr};

use crate::{
    rejection::{Problem, Refusal},
    time,
};

/// The longest name, history or identifier that is taken over.
pub const MAX_TEXT_BYTES: usize = 1024;

const ADDRESS: &str = "an IP address";
const PORT: &str = "a port from 0 to 65535";
const COUNT: &str = "a whole number from 0 to 18446744073709551615";
const BYTE: &str = "a whole number from 0 to 255";

/// A field that the sensor may leave out.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'static str,
    pub(crate) text: Option<Cow<'a, str>>,
}

impl<'a> Field<'a> {
    pub(crate) fn new(name: &'static str, text: Option<Cow<'a, str>>) -> Self {
        Self { name, text }
    }

    pub(crate) fn require(&self, expected: &'static str) -> Result<&str, Refusal> {
        self.text
            .as_deref()
            .ok_or_else(|| Refusal::missing(self.name, expected))
    }

    pub(crate) fn address(&self) -> Result<IpAddr, Refusal> {
        let text = self.require(ADDRESS)?;
        text.parse()
            .map_err(|_| Refusal::unexpected(self.name, ADDRESS, text))
    }

    /// A port, which has to be there.
    pub(crate) fn port(&self) -> Result<u16, Refusal> {
        self.require(PORT)?;
        self.maybe_port().map(Option::unwrap_or_default)
    }

    pub(crate) fn maybe_port(&self) -> Result<Option<u16>, Refusal> {
        self.maybe(PORT, |text| text.parse().ok())
    }

    pub(crate) fn byte(&self) -> Result<Option<u8>, Refusal> {
        self.maybe(BYTE, |text| text.parse().ok())
    }

    /// TCP flags, written in hexadecimal.
    pub(crate) fn hex_byte(&self) -> Result<Option<u8>, Refusal> {
        self.maybe("two hexadecimal digits", |text| {
            u8::from_str_radix(text, 16).ok()
        })
    }

    pub(crate) fn count(&self) -> Result<Option<u64>, Refusal> {
        self.maybe(COUNT, |text| text.parse().ok())
    }

    /// A duration in seconds, in microseconds.
    pub(crate) fn duration(&self) -> Result<Option<i64>, Refusal> {
        self.maybe("a number of seconds", time::decimal_micros)
    }

    /// A time that has to be there.
    pub(crate) fn time(&self) -> Result<i64, Refusal> {
        self.require(TIME)?;
        self.maybe_time().map(Option::unwrap_or_default)
    }

    pub(crate) fn maybe_time(&self) -> Result<Option<i64>, Refusal> {
        self.maybe(TIME, |text| {
            time::decimal_micros(text).or_else(|| time::iso_micros(text))
        })
    }

    /// The text itself; an empty one is none.
    pub(crate) fn owned(self) -> Result<Option<String>, Refusal> {
        let Some(text) = self.text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        if text.len() > MAX_TEXT_BYTES {
            let problem = Problem::TextTooLong {
                limit: MAX_TEXT_BYTES,
                found: text.len(),
            };
            return Err(Refusal::field(self.name, problem));
        }
        Ok(Some(text.into_owned()))
    }

    pub(crate) fn maybe<T>(
        &self,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.text.as_deref() {
            None => Ok(None),
            Some(text) => match read(text) {
                Some(value) => Ok(Some(value)),
                None => Err(Refusal::unexpected(self.name, expected, text)),
            },
        }
    }
}

const TIME: &str = "seconds since 1970 or an ISO 8601 time";
