//! Numbers that are no JSON and that Python writes into it all the same.

const TOKENS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// The payload with those numbers as texts, if it has any outside its texts.
pub(super) fn quoted(payload: &[u8]) -> Option<Vec<u8>> {
    let mut quoted = Vec::new();
    let mut is_text = false;
    let mut is_changed = false;
    let mut rest = payload;
    while let Some((&byte, after)) = rest.split_first() {
        if is_text && byte == b'\\' {
            let length = rest.len().min(2);
            quoted.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        if byte == b'"' {
            is_text = !is_text;
        } else if !is_text && let Some(token) = TOKENS.iter().find(|token| rest.starts_with(token))
        {
            quoted.push(b'"');
            quoted.extend_from_slice(token);
            quoted.push(b'"');
            rest = &rest[token.len()..];
            is_changed = true;
            continue;
        }
        quoted.push(byte);
        rest = after;
    }
    is_changed.then_some(quoted)
}
