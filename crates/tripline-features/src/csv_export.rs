//! Cells that a spreadsheet cannot mistake for formulas (CWE-1236).

use std::borrow::Cow;

/// Prefixes an apostrophe to a cell that a spreadsheet would run as a formula.
///
/// Plain numbers such as `-1.5` stay as they are. Quoting for CSV is left to the writer.
///
/// ```
/// use tripline_features::csv_export::neutralise;
/// assert_eq!(neutralise("=1+1"), "'=1+1");
/// assert_eq!(neutralise("-1.5e3"), "-1.5e3");
/// ```
pub fn neutralise(cell: &str) -> Cow<'_, str> {
    let dangerous = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if dangerous && !is_plain_number(cell) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

fn is_plain_number(cell: &str) -> bool {
    // The characters are checked first because the parser also takes "-inf" and "+nan".
    cell.bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'))
        && cell.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::neutralise;

    #[test]
    fn only_cells_that_a_spreadsheet_would_run_are_prefixed() {
        for (cell, expected) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+SUM(A1)", "'+SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("-inf", "'-inf"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("-", "'-"),
            ("-1", "-1"),
            ("+1.5", "+1.5"),
            ("-1.5e-3", "-1.5e-3"),
            ("neptune", "neptune"),
            ("", ""),
            ("a=1", "a=1"),
        ] {
            assert_eq!(neutralise(cell), expected, "{cell:?}");
        }
    }
}
