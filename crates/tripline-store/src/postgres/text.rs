//! Text that may hold NUL, which PostgreSQL takes in no text. It is written as two characters of
//! which the first is one that Unicode keeps for such uses; texts without either are kept as they
//! are.

use std::{borrow::Cow, error::Error};

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A noncharacter: no text that means anything has it.
const ESCAPE: char = '\u{10ffff}';

pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', ESCAPE]) {
        text.chars()
            .fold(String::new(), |mut escaped, character| {
                match character {
                    '\0' => escaped.extend([ESCAPE, '0']),
                    ESCAPE => escaped.extend([ESCAPE, '1']),
                    other => escaped.push(other),
                }
                escaped
            })
            .into()
    } else {
        text.into()
    }
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.strip_prefix('0') {
            Some(rest) => {
                plain.push('\0');
                plain.push_str(rest);
            }
            None => {
                plain.push(ESCAPE);
                plain.push_str(part.strip_prefix('1').unwrap_or(part));
            }
        }
    }
    plain
}

/// A text as a parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a>(pub(super) &'a str);

impl ToSql for Text<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        escaped(self.0).to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        <&str as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

/// A text as a result.
#[derive(Debug, Clone)]
pub(super) struct Plain(pub(super) String);

impl<'a> FromSql<'a> for Plain {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let text = <&str as FromSql>::from_sql(kind, raw)?;
        Ok(Self(if text.contains(ESCAPE) {
            unescaped(text)
        } else {
            text.to_owned()
        }))
    }

    fn accepts(kind: &Type) -> bool {
        <&str as FromSql>::accepts(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in [
            "",
            "DoS",
            "DoS\0",
            "\0\0",
            "a\u{10ffff}0b",
            "\u{10ffff}\0\u{10ffff}1",
            "検出器",
        ] {
            let kept = escaped(text);
            assert!(!kept.contains('\0'));
            assert_eq!(unescaped(&kept), text, "{text:?}");
        }
        assert!(matches!(escaped("plain"), Cow::Borrowed(_)));
    }
}
