//! The form around a file, and what is believed of it.

use axum::{
    extract::{FromRequest, Multipart, Request},
    http::{StatusCode, header},
};

use crate::api::error::ApiError;

/// Longest file name that is kept, in characters.
const MAX_FILE_NAME: usize = 200;
/// Slots of `AppState::upload_slots` that a capture takes, so that two can be judged at a time.
const CAPTURE_SLOTS: u32 = 4;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Csv,
    Capture,
}

impl FileKind {
    /// Whether a file may have this name; what it holds is decided by its content.
    pub(super) fn check_name(self, name: &str) -> Result<(), ApiError> {
        let name = name.to_lowercase();
        let (bare, endings, expected): (&str, &[&str], &str) = match self {
            Self::Csv => (&name, &[".csv"], "File must be a CSV"),
            Self::Capture => (
                name.strip_suffix(".gz")
                    .or(name.strip_suffix(".zst"))
                    .unwrap_or(&name),
                &[".pcap", ".pcapng", ".cap"],
                "File must be a capture: its name ends in .pcap, .pcapng or .cap, with .gz or \
                 .zst behind it or not",
            ),
        };
        if endings.iter().any(|ending| bare.ends_with(ending)) {
            Ok(())
        } else {
            Err(ApiError::bad_request(expected))
        }
    }

    /// How much of what may be done at a time it takes; a capture needs a table of flows.
    pub(super) fn slots(self) -> u32 {
        match self {
            Self::Csv => 1,
            Self::Capture => CAPTURE_SLOTS,
        }
    }
}

/// The form of a request.
pub(in crate::api) async fn read_form(request: Request) -> Result<Multipart, ApiError> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("multipart/form-data")
        });
    if !is_form {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected a form (multipart/form-data) with the file in the field 'file'",
        ));
    }
    Multipart::from_request(request, &())
        .await
        .map_err(|error| {
            ApiError::bad_request(format!("the form cannot be read: {}", error.body_text()))
        })
}

/// What is kept of a file name: text to be shown, never a path.
pub(in crate::api) fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|letter| !is_hidden(*letter)).collect();
    let shown = shown.trim();
    let length = shown.chars().count();
    // The end of a name that is too long says what it is.
    shown
        .chars()
        .skip(length.saturating_sub(MAX_FILE_NAME))
        .collect()
}

/// Letters that change how a text looks without being seen: controls, and marks of direction
/// with which `exe.csv` can be made to read `vsc.exe`.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        assert_eq!(clean_name(name), expected, "{name:?}");
    }

    #[test]
    fn a_file_name_is_never_a_path() {
        check("flows.csv", "flows.csv");
        check("../../etc/passwd.csv", "passwd.csv");
        check("C:\\temp\\flows.csv", "flows.csv");
        check("a\0b\r\nc\u{1b}[31m.csv", "abc[31m.csv");
        check("vsc.\u{202e}exe.csv", "vsc.exe.csv");
        check("", "");
        check("/", "");
        check(
            &format!("{}.csv", "x".repeat(1000)),
            &format!("{}.csv", "x".repeat(196)),
        );
    }
}
