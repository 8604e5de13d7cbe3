//! The trace that something belongs to, as W3C Trace Context writes it.
//!
//! Whoever sends a header or a message may write what they like into it. What is not exactly in the
//! form of the standard is no context, and the work begins a trace of its own.

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The header that names trace and parent.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// The header with what tracing systems add.
pub(crate) const TRACESTATE: &str = "tracestate";

/// `00-` + 32 digits + `-` + 16 digits + `-` + 2 digits.
const LENGTH: usize = 55;
/// Longest `tracestate` that is passed on, the least that the standard asks for.
const MAX_STATE: usize = 512;

/// Reads a context; `None` when it is not in the form of the standard.
pub(crate) fn parse(traceparent: &[u8], tracestate: Option<&[u8]>) -> Option<SpanContext> {
    let (known, more) = traceparent.split_at_checked(LENGTH)?;
    let dashes = [2, 35, 52].map(|at| known[at]);
    if dashes != [b'-'; 3] {
        return None;
    }
    let version = digits(&known[..2])? as u8;
    // Later versions may add something after another dash; there is no version 255.
    let is_good = match version {
        0 => more.is_empty(),
        255 => false,
        _ => more.is_empty() || more[0] == b'-',
    };
    if !is_good {
        return None;
    }
    let trace = TraceId::from(digits(&known[3..35])?);
    let span = SpanId::from(digits(&known[36..52])? as u64);
    let flags = TraceFlags::new(digits(&known[53..])? as u8) & TraceFlags::SAMPLED;
    let state = tracestate.and_then(state).unwrap_or_default();
    let context = SpanContext::new(trace, span, flags, true, state);
    context.is_valid().then_some(context)
}

/// Lower-case hexadecimal digits, at most 32.
fn digits(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

fn state(text: &[u8]) -> Option<TraceState> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    if text.len() > MAX_STATE || !text.iter().all(is_plain) {
        return None;
    }
    TraceState::from_str(str::from_utf8(text).ok()?).ok()
}

/// The context of a request. More than one `traceparent` is none.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<SpanContext> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let parent = parents.next()?;
    if parents.next().is_some() {
        return None;
    }
    let states = headers.get_all(TRACESTATE).iter();
    let states: Vec<&[u8]> = states.map(HeaderValue::as_bytes).collect();
    parse(parent.as_bytes(), Some(&states.join(&b','))).filter(SpanContext::is_valid)
}

/// A context as `traceparent` has it.
pub(crate) fn traceparent(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags() & TraceFlags::SAMPLED
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_read_and_written() {
        let context = parse(GOOD.as_bytes(), Some(b"a=1,b=2")).unwrap();
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(traceparent(&context), GOOD);
        assert_eq!(context.trace_state().header(), "a=1,b=2");
        // Flags that are not known, and versions that are to come.
        let later = format!("cc{}ff-what-ever", &GOOD[2..53]);
        assert!(parse(later.as_bytes(), None).unwrap().is_sampled());
        let off = GOOD.replace("-01", "-00");
        assert!(!parse(off.as_bytes(), None).unwrap().is_sampled());
    }

    #[test]
    fn what_is_not_in_the_form_is_none() {
        let mut bad: Vec<String> = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        ]
        .map(str::to_owned)
        .to_vec();
        bad.push(GOOD.repeat(1000));
        bad.push("é".repeat(40));
        for text in bad {
            assert!(parse(text.as_bytes(), None).is_none(), "{text}");
        }
        assert!(parse(&[0xff; 55], None).is_none());
    }

    #[test]
    fn a_state_that_cannot_be_read_is_left_out() {
        for state in ["no state", "a=\u{e9}", &"a=1,".repeat(200)] {
            let context = parse(GOOD.as_bytes(), Some(state.as_bytes())).unwrap();
            assert_eq!(context.trace_state().header(), "", "{state}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, GOOD.parse().unwrap());
        assert!(of_headers(&headers).is_some());
        headers.append(TRACEPARENT, GOOD.parse().unwrap());
        assert!(of_headers(&headers).is_none());
    }
}
