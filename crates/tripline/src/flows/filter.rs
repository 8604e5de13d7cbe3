//! Filter expressions over judged flows, such as
//! `threat and dst_port in 1-1023 and not src_ip in 10.0.0.0/8`.
//!
//! ```text
//! expression = term { "or" term }
//! term       = factor { "and" factor }
//! factor     = "not" factor | "(" expression ")" | "threat" | comparison
//! comparison = field ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "~" ) value
//! ```
//!
//! `in` takes a network (`10.0.0.0/8`), a range (`1-1023`) or a list (`22,80,443`); `~` looks for
//! a part of a text without regard to case.

use std::net::IpAddr;

use super::FlowReport;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    Or(Box<Filter>, Box<Filter>),
    And(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Threat,
    Number(NumberField, Vec<(f64, f64)>),
    Text(TextField, TextTest),
    Address(AddressField, Vec<(IpAddr, u8)>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NumberField {
    SourcePort,
    DestinationPort,
    Port,
    Packets,
    Bytes,
    Duration,
    Probability,
    Confidence,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum TextField {
    Protocol,
    Class,
    Name,
    Service,
    Connection,
    End,
    CommunityId,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AddressField {
    Source,
    Destination,
    Either,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TextTest {
    OneOf(Vec<String>),
    Contains(String),
}

/// Why an expression is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("filter: at character {at}: expected {expected}, found {found}")]
pub(crate) struct FilterError {
    at: usize,
    expected: String,
    found: String,
}

const FIELDS: &str = "a field (src_ip, dst_ip, ip, src_port, dst_port, port, proto, class, name, \
                      service, connection, end, community_id, packets, bytes, duration, \
                      probability, confidence), threat, not or (";

/// Parentheses and negations inside each other.
const MAX_DEPTH: usize = 64;

impl Filter {
    /// Parses an expression.
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        let mut parser = Parser {
            words: words(text)?,
            next: 0,
            end: text.chars().count() + 1,
            depth: 0,
        };
        let filter = parser.expression()?;
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.expected("and, or, or the end")),
        }
    }

    /// Whether a flow passes.
    pub(crate) fn passes(&self, report: &FlowReport<'_>) -> bool {
        match self {
            Self::Or(one, other) => one.passes(report) || other.passes(report),
            Self::And(one, other) => one.passes(report) && other.passes(report),
            Self::Not(inner) => !inner.passes(report),
            Self::Threat => report.is_threat(),
            Self::Number(field, ranges) => {
                numbers(*field, report).into_iter().flatten().any(|value| {
                    ranges
                        .iter()
                        .any(|(low, high)| (*low..=*high).contains(&value))
                })
            }
            Self::Text(field, test) => {
                let value = text_of(*field, report);
                value.is_some_and(|value| test.passes(&value))
            }
            Self::Address(field, networks) => {
                let (source, destination) = (report.source(), report.destination());
                let of_interest = match field {
                    AddressField::Source => [Some(source), None],
                    AddressField::Destination => [None, Some(destination)],
                    AddressField::Either => [Some(source), Some(destination)],
                };
                of_interest
                    .into_iter()
                    .flatten()
                    .any(|address| networks.iter().any(|network| contains(*network, address)))
            }
        }
    }
}

impl TextTest {
    fn passes(&self, value: &str) -> bool {
        match self {
            Self::OneOf(wanted) => wanted
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(value)),
            Self::Contains(part) => value.to_lowercase().contains(part),
        }
    }
}

fn numbers(field: NumberField, report: &FlowReport<'_>) -> [Option<f64>; 2] {
    let flow = report.subject();
    let (source, destination) = (
        f64::from(flow.source_port()),
        f64::from(flow.destination_port()),
    );
    // A sum of which a part is not known is not known.
    let sum = |[one, other]: [Option<i64>; 2]| Some((one? + other?) as f64);
    let one = match field {
        NumberField::SourcePort => source,
        NumberField::DestinationPort => destination,
        NumberField::Port => return [Some(source), Some(destination)],
        NumberField::Packets => return [sum(flow.packets()), None],
        NumberField::Bytes => return [sum(flow.payload_bytes()), None],
        NumberField::Duration => {
            return [
                flow.duration_micros().map(|micros| micros as f64 / 1e6),
                None,
            ];
        }
        NumberField::Probability => return [report.probability(), None],
        NumberField::Confidence => return [report.confidence(), None],
    };
    [Some(one), None]
}

fn text_of(field: TextField, report: &FlowReport<'_>) -> Option<String> {
    let flow = report.subject();
    Some(match field {
        TextField::Protocol => report.protocol().into_owned(),
        TextField::Class => report.class()?.to_owned(),
        TextField::Name => report.name()?.to_owned(),
        TextField::Service => report.service()?.to_owned(),
        TextField::Connection => flow.connection()?.to_owned(),
        TextField::End => flow.end_reason()?.to_owned(),
        TextField::CommunityId => flow.community_id()?,
    })
}

fn contains((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
    let same = |one: u128, other: u128, width: u32| {
        let shift = width - u32::from(bits).min(width);
        shift >= 128 || one >> shift == other >> shift
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => same(
            u128::from(network.to_bits()),
            u128::from(address.to_bits()),
            32,
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            same(network.to_bits(), address.to_bits(), 128)
        }
        _ => false,
    }
}

/// A word with its place.
type Word = (usize, String);

fn words(text: &str) -> Result<Vec<Word>, FilterError> {
    let mut words: Vec<Word> = Vec::new();
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        let start = at;
        if letter.is_whitespace() {
            at += 1;
            continue;
        }
        if letter == '"' || letter == '\'' {
            let close = letters[at + 1..].iter().position(|other| *other == letter);
            let Some(close) = close else {
                return Err(FilterError {
                    at: start + 1,
                    expected: format!("a closing {letter}"),
                    found: "the end".to_owned(),
                });
            };
            // A quoted word is never a keyword.
            words.push((
                start,
                format!(
                    "\"{}",
                    letters[at + 1..at + 1 + close].iter().collect::<String>()
                ),
            ));
            at += close + 2;
            continue;
        }
        let is_sign = |letter: char| matches!(letter, '=' | '!' | '<' | '>' | '~');
        let is_bracket = |letter: char| matches!(letter, '(' | ')');
        at += 1;
        if is_sign(letter) {
            while at < letters.len() && is_sign(letters[at]) {
                at += 1;
            }
        } else if !is_bracket(letter) {
            while at < letters.len()
                && !letters[at].is_whitespace()
                && !is_sign(letters[at])
                && !is_bracket(letters[at])
            {
                at += 1;
            }
        }
        words.push((start, letters[start..at].iter().collect()));
    }
    Ok(words)
}

struct Parser {
    words: Vec<Word>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.next).map(|(_, word)| word.as_str())
    }

    fn take(&mut self, wanted: &str) -> bool {
        let is_it = self
            .peek()
            .is_some_and(|word| word.eq_ignore_ascii_case(wanted));
        self.next += usize::from(is_it);
        is_it
    }

    fn expected(&self, expected: &str) -> FilterError {
        let (at, found) = match self.words.get(self.next) {
            Some((at, word)) => (*at + 1, format!("'{}'", word.trim_start_matches('"'))),
            None => (self.end, "the end".to_owned()),
        };
        FilterError {
            at,
            expected: expected.to_owned(),
            found,
        }
    }

    fn expression(&mut self) -> Result<Filter, FilterError> {
        let mut filter = self.term()?;
        while self.take("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.term()?));
        }
        Ok(filter)
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        let mut filter = self.factor()?;
        while self.take("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.factor()?));
        }
        Ok(filter)
    }

    fn factor(&mut self) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.expected("fewer nested parentheses and negations"));
        }
        let filter = if self.take("not") {
            Filter::Not(Box::new(self.factor()?))
        } else if self.take("(") {
            let inner = self.expression()?;
            if !self.take(")") {
                return Err(self.expected("and, or, or )"));
            }
            inner
        } else if self.take("threat") {
            Filter::Threat
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        use {AddressField as A, NumberField as N, TextField as T};
        let Some(field) = self.peek().map(str::to_lowercase) else {
            return Err(self.expected(FIELDS));
        };
        let number = |field| Ok::<_, FilterError>(Field::Number(field));
        let field = match field.as_str() {
            "src_ip" => Field::Address(A::Source),
            "dst_ip" => Field::Address(A::Destination),
            "ip" => Field::Address(A::Either),
            "src_port" => number(N::SourcePort)?,
            "dst_port" => number(N::DestinationPort)?,
            "port" => number(N::Port)?,
            "packets" => number(N::Packets)?,
            "bytes" => number(N::Bytes)?,
            "duration" => number(N::Duration)?,
            "probability" => number(N::Probability)?,
            "confidence" => number(N::Confidence)?,
            "proto" | "protocol" => Field::Text(T::Protocol),
            "class" => Field::Text(T::Class),
            "name" => Field::Text(T::Name),
            "service" => Field::Text(T::Service),
            "connection" => Field::Text(T::Connection),
            "end" => Field::Text(T::End),
            "community_id" => Field::Text(T::CommunityId),
            _ => return Err(self.expected(FIELDS)),
        };
        self.next += 1;
        let signs = field.signs();
        let Some(sign) = self
            .peek()
            .filter(|sign| signs.contains(sign))
            .map(ToOwned::to_owned)
        else {
            return Err(self.expected(&signs.join(", ")));
        };
        self.next += 1;
        let Some(value) = self
            .peek()
            .map(|word| word.trim_start_matches('"').to_owned())
        else {
            return Err(self.expected("a value"));
        };
        let test = match field {
            Field::Number(field) => Filter::Number(field, self.ranges(&sign, &value)?),
            Field::Text(field) if sign == "~" => {
                Filter::Text(field, TextTest::Contains(value.to_lowercase()))
            }
            Field::Text(field) => {
                let wanted = if sign == "in" {
                    value.split(',').map(ToOwned::to_owned).collect()
                } else {
                    vec![value]
                };
                Filter::Text(field, TextTest::OneOf(wanted))
            }
            Field::Address(field) => {
                let networks = value
                    .split(',')
                    .map(|text| network(text).ok_or(()))
                    .collect::<Result<_, _>>();
                let Ok(networks) = networks else {
                    return Err(self.expected("an address or a network such as 10.0.0.0/8"));
                };
                Filter::Address(field, networks)
            }
        };
        self.next += 1;
        Ok(if sign == "!=" {
            Filter::Not(Box::new(test))
        } else {
            test
        })
    }

    fn ranges(&self, sign: &str, value: &str) -> Result<Vec<(f64, f64)>, FilterError> {
        let number = |text: &str| {
            text.parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .ok_or_else(|| self.expected("a number"))
        };
        if sign == "in" {
            return value
                .split(',')
                .map(|part| match part.split_once('-') {
                    Some((low, high)) => Ok((number(low)?, number(high)?)),
                    None => number(part).map(|number| (number, number)),
                })
                .collect();
        }
        let number = number(value)?;
        let range = match sign {
            "<" => (f64::NEG_INFINITY, number.next_down()),
            "<=" => (f64::NEG_INFINITY, number),
            ">" => (number.next_up(), f64::INFINITY),
            ">=" => (number, f64::INFINITY),
            _ => (number, number),
        };
        Ok(vec![range])
    }
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Number(NumberField),
    Text(TextField),
    Address(AddressField),
}

impl Field {
    fn signs(self) -> &'static [&'static str] {
        match self {
            Self::Number(_) => &["==", "!=", "<", "<=", ">", ">=", "in"],
            Self::Text(_) => &["==", "!=", "~", "in"],
            Self::Address(_) => &["==", "!=", "in"],
        }
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse().ok()?, Some(bits.parse::<u8>().ok()?)),
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Filter::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn and_binds_stronger_than_or() {
        let filter = Filter::parse("threat or port == 1 and not bytes > 2").unwrap();
        assert!(matches!(filter, Filter::Or(_, term) if matches!(*term, Filter::And(..))));
    }

    #[test]
    fn values_may_be_quoted_and_have_spaces() {
        let filter = Filter::parse("class == \"Web Attack – XSS\"").unwrap();
        let wanted = TextTest::OneOf(vec!["Web Attack – XSS".to_owned()]);
        assert_eq!(filter, Filter::Text(TextField::Class, wanted));
    }

    #[test]
    fn networks_ranges_and_lists() {
        assert!(contains(
            network("10.0.0.0/8").unwrap(),
            "10.1.2.3".parse().unwrap()
        ));
        assert!(!contains(
            network("10.0.0.0/8").unwrap(),
            "11.1.2.3".parse().unwrap()
        ));
        assert!(contains(
            network("::/0").unwrap(),
            "2001:db8::1".parse().unwrap()
        ));
        assert!(network("10.0.0.0/33").is_none());
        let Filter::Number(_, ranges) = Filter::parse("dst_port in 1-3,80").unwrap() else {
            panic!("a comparison of numbers");
        };
        assert_eq!(ranges, [(1.0, 3.0), (80.0, 80.0)]);
    }

    #[test]
    fn errors_name_the_place_and_what_was_expected() {
        assert_eq!(
            error("threat and"),
            format!("filter: at character 11: expected {FIELDS}, found the end")
        );
        assert_eq!(
            error("src_ip < 1"),
            "filter: at character 8: expected ==, !=, in, found '<'"
        );
        assert_eq!(
            error("dst_port == http"),
            "filter: at character 13: expected a number, found 'http'"
        );
        assert_eq!(
            error("ip in 10.0.0/8"),
            "filter: at character 7: expected an address or a network such as 10.0.0.0/8, found '10.0.0/8'"
        );
        assert_eq!(
            error("(threat"),
            "filter: at character 8: expected and, or, or ), found the end"
        );
        assert!(error(&"not ".repeat(100)).contains("fewer nested"));
    }
}
