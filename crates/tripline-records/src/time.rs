//! Times as text, in microseconds since 1970 without a detour over floats.

/// Digits that are read exactly; ten to the power of this still fits with room to scale.
const MAX_DIGITS: u32 = 28;

/// Seconds as decimal text, with a fraction and an exponent if need be, to the nearest
/// microsecond.
pub(crate) fn decimal_micros(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let mut digits: u128 = 0;
    let mut count = 0;
    let mut scale = i32::from(exponent) + 6;
    for (byte, is_fraction) in whole
        .bytes()
        .map(|byte| (byte, false))
        .chain(fraction.bytes().map(|byte| (byte, true)))
    {
        if count < MAX_DIGITS {
            digits = digits * 10 + u128::from(byte - b'0');
            count += u32::from(digits > 0);
            scale = scale.saturating_sub(i32::from(is_fraction));
        } else if !is_fraction {
            scale = scale.saturating_add(1);
        }
    }
    let micros = scaled(digits, scale)?;
    let micros = i64::try_from(micros).ok()?;
    Some(if negative { -micros } else { micros })
}

/// `digits` times ten to the power of `scale`, rounded half up.
fn scaled(digits: u128, scale: i32) -> Option<u128> {
    if digits == 0 {
        return Some(0);
    }
    let power = 10_u128.checked_pow(scale.unsigned_abs());
    if scale >= 0 {
        digits.checked_mul(power?)
    } else {
        // A divisor beyond 128 bits leaves nothing.
        Some(power.map_or(0, |power| {
            let rest = digits % power;
            digits / power + u128::from(rest >= power - rest)
        }))
    }
}

/// An ISO 8601 time such as `2017-07-24T15:49:41.328342+0000`; without an offset it is UTC.
pub(crate) fn iso_micros(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', ' '])?;
    let mut date = date.split('-');
    let year = digits(date.next()?, 4)?;
    let month = digits(date.next()?, 2)?;
    let day = digits(date.next()?, 2)?;
    if date.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    if !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let (time, offset) = split_offset(time)?;
    let mut time = time.split(':');
    let hour = digits(time.next()?, 2)?;
    let minute = digits(time.next()?, 2)?;
    let seconds = time.next()?;
    if time.next().is_some() || hour > 23 || minute > 59 {
        return None;
    }
    let (whole, _) = seconds.split_once('.').unwrap_or((seconds, ""));
    // A leap second is written as 60.
    if digits(whole, 2)? > 60 || seconds.contains(['e', 'E']) {
        return None;
    }
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset;
    Some(minutes * 60_000_000 + decimal_micros(seconds)?)
}

/// The time of day and its offset to UTC in minutes.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(position) = text.find(['+', '-']) else {
        return Some((text, 0));
    };
    let (time, offset) = text.split_at_checked(position)?;
    let (sign, offset) = match offset.strip_prefix('-') {
        Some(offset) => (-1, offset),
        None => (1, offset.strip_prefix('+')?),
    };
    let (hours, minutes) = match offset.split_once(':') {
        Some(parts) => parts,
        None if offset.len() == 2 => (offset, "00"),
        None => offset.split_at_checked(2)?,
    };
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some((time, sign * (hours * 60 + minutes)))
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests;
