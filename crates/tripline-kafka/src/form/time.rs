use serde_json::Value;

/// Numbers from here on are milliseconds, and from there on microseconds: as seconds they would
/// lie after the year 5138.
const FIRST_MILLIS: f64 = 1e11;
const FIRST_MICROS: f64 = 1e14;

/// Reads a time: a number is seconds, milliseconds or microseconds since 1970, by its size; a text
/// is RFC 3339, with UTC where it names no zone, or such a number. In microseconds since 1970.
pub fn event_time(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => from_number(number.as_f64()?),
        Value::String(text) => {
            let text = text.trim();
            if let Ok(time) = text.parse::<jiff::Timestamp>() {
                return Some(time.as_microsecond());
            }
            if let Ok(time) = text.parse::<jiff::civil::DateTime>() {
                let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
                return Some(time.timestamp().as_microsecond());
            }
            from_number(text.parse().ok()?)
        }
        _ => None,
    }
}

fn from_number(number: f64) -> Option<i64> {
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    let micros = if number < FIRST_MILLIS {
        number * 1e6
    } else if number < FIRST_MICROS {
        number * 1e3
    } else {
        number
    };
    // Above 2^53 a time would be no exact number; that is the year 2255.
    (micros < 9e15).then_some(micros.round() as i64)
}
