//! The lines that begin with `#` and the fields of the lines below them.

use memchr::memmem::Finder;

use super::conn::{Column, ConnFields};
use crate::rejection::{Problem, Refusal};

/// How the lines below are written.
#[derive(Debug)]
pub(super) struct Header {
    separator: Finder<'static>,
    set_separator: Vec<u8>,
    empty_field: Vec<u8>,
    unset_field: Vec<u8>,
    /// What each column is; `None` as long as the columns are not known.
    columns: Option<Vec<Option<Column>>>,
    /// A header of a `conn.log` was there.
    complete: bool,
}

/// What a directive changes, beyond how to split lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// The columns are those of another log.
    OtherLog {
        missing: &'static str,
    },
}

impl Header {
    /// What Zeek writes unless it is told otherwise.
    pub(super) fn new() -> Self {
        Self {
            separator: Finder::new(b"\t").into_owned(),
            set_separator: b",".to_vec(),
            empty_field: b"(empty)".to_vec(),
            unset_field: b"-".to_vec(),
            columns: None,
            complete: false,
        }
    }

    /// Whether any header of a `conn.log` was there so far.
    pub(super) fn was_complete(&self) -> bool {
        self.complete
    }

    /// Takes over a line that begins with `#`.
    pub(super) fn directive(&mut self, line: &[u8]) -> Change {
        if let Some(rest) = line.strip_prefix(b"#separator") {
            let separator = unescape(rest.trim_ascii());
            let complete = self.complete;
            *self = Self::new();
            self.complete = complete;
            if !separator.is_empty() {
                self.separator = Finder::new(&separator).into_owned();
            }
            return Change::None;
        }
        let mut parts = split(line, &self.separator);
        let name = parts.next().unwrap_or_default();
        match name {
            b"#set_separator" => self.set_separator = unescape(parts.next().unwrap_or_default()),
            b"#empty_field" => self.empty_field = unescape(parts.next().unwrap_or_default()),
            b"#unset_field" => self.unset_field = unescape(parts.next().unwrap_or_default()),
            b"#fields" => {
                let mut known = [false; Column::COUNT];
                let columns = parts
                    .map(|name| {
                        let column = Column::from_name(name)?;
                        // Of two columns of one name the first counts.
                        let known = known.get_mut(column as usize)?;
                        (!std::mem::replace(known, true)).then_some(column)
                    })
                    .collect();
                if let Some(missing) = Column::first_missing(&known) {
                    self.columns = None;
                    return Change::OtherLog { missing };
                }
                self.columns = Some(columns);
                self.complete = true;
            }
            _ => {}
        }
        Change::None
    }

    /// The fields of a line; `None` where the columns are those of another log.
    pub(super) fn fields<'a>(&self, line: &'a [u8]) -> Option<Result<ConnFields<'a>, Refusal>> {
        let columns = self.columns.as_ref()?;
        Some(self.split_line(columns, line))
    }

    fn split_line<'a>(
        &self,
        columns: &[Option<Column>],
        line: &'a [u8],
    ) -> Result<ConnFields<'a>, Refusal> {
        let mut fields = ConnFields::default();
        let mut bad_text = None;
        let mut found = 0;
        for part in split(line, &self.separator) {
            let column = columns.get(found).copied().flatten();
            found += 1;
            let Some(column) = column else { continue };
            if part == self.unset_field || part == self.empty_field {
                continue;
            }
            match std::str::from_utf8(part) {
                Ok(text) => fields.set(column, text.into()),
                Err(error) => {
                    let valid = error.valid_up_to();
                    bad_text = bad_text.or(Some((column.name(), Problem::NotUtf8 { valid })));
                }
            }
        }
        // A wrong number goes first: in a shifted line any other problem is a consequence.
        if found != columns.len() {
            return Err(Refusal::line(Problem::FieldCount {
                found,
                expected: columns.len(),
            }));
        }
        if let Some((name, problem)) = bad_text {
            return Err(Refusal::field(name, problem));
        }
        if let Ok(separator) = std::str::from_utf8(&self.set_separator)
            && separator != ","
        {
            fields.normalise_set(separator);
        }
        Ok(fields)
    }
}

fn split<'a, 'f>(
    line: &'a [u8],
    separator: &'f Finder<'static>,
) -> impl Iterator<Item = &'a [u8]> + use<'a, 'f> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        match separator.find(text) {
            Some(at) => {
                rest = text.get(at + separator.needle().len()..);
                text.get(..at)
            }
            None => rest.take(),
        }
    })
}

/// Undoes Zeek's `\x09`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = rest
            .strip_prefix(b"\\x")
            .and_then(|digits| digits.split_at_checked(2))
            .and_then(|(digits, after)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 16).ok()?, after))
            });
        let (byte, after) = escaped.unwrap_or((first, after));
        out.push(byte);
        rest = after;
    }
    out
}
