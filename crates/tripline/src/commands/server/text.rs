//! Answers as people read them.

use std::io::Write;

use serde_json::Value;

/// A text, empty if it is none.
pub(in crate::commands) fn of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A text, or `-`.
pub(in crate::commands) fn or_dash(value: &Value) -> &str {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .unwrap_or("-")
}

/// A number with so many digits after the point, or `-`.
pub(in crate::commands) fn number(value: &Value, digits: usize) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
}

/// A probability under the null hypothesis; a small one is never called 0.
pub(in crate::commands) fn p_value(value: &Value) -> String {
    match value.as_f64() {
        Some(p) if p < 0.0001 => "< 0.0001".to_owned(),
        _ => number(value, 4),
    }
}

/// A time to the second, as RFC 3339 has it.
pub(in crate::commands) fn time(value: &Value) -> String {
    let text = of(value);
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text.to_owned(),
    }
}

/// The list in a value, empty if it holds none.
pub(in crate::commands) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Rows below their heads, each column as wide as its widest cell.
pub(in crate::commands) fn table<const N: usize>(
    out: &mut dyn Write,
    heads: [&str; N],
    rows: &[[String; N]],
) -> std::io::Result<()> {
    let heads = heads.map(ToOwned::to_owned);
    let mut widths = [0; N];
    for row in std::iter::once(&heads).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
