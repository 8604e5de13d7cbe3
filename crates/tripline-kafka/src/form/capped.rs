//! JSON into values, with limits that hold while it is read.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Cause, Limits, Poison};

/// All values of the payload, which may hold several one after the other.
pub(super) fn read(payload: &[u8], limits: &Limits) -> Result<Vec<Value>, Poison> {
    let budget = Budget {
        limits,
        left: Cell::new(limits.values),
        is_exceeded: Cell::new(false),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let mut values = Vec::new();
    loop {
        let seed = Capped {
            budget: &budget,
            depth: 0,
        };
        let value = seed.deserialize(&mut deserializer).map_err(|error| {
            let cause = if budget.is_exceeded.get() {
                Cause::TooLarge
            } else if error.is_data() {
                Cause::Shape
            } else {
                Cause::NotJson
            };
            Poison::new(cause, error.to_string())
        })?;
        if values.len() == limits.rows {
            return Err(Poison::new(
                Cause::TooLarge,
                format!("the message has more than {} values", limits.rows),
            ));
        }
        values.push(value);
        if deserializer.end().is_ok() {
            return Ok(values);
        }
    }
}

struct Budget<'a> {
    limits: &'a Limits,
    left: Cell<usize>,
    is_exceeded: Cell<bool>,
}

impl Budget<'_> {
    fn exceeded<E: Error>(&self, what: impl fmt::Display) -> E {
        self.is_exceeded.set(true);
        E::custom(what)
    }

    fn spend<E: Error>(&self) -> Result<(), E> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(self.exceeded(format_args!(
                "more than {} values in one message",
                self.limits.values
            ))),
        }
    }

    fn text<E: Error>(&self, text: &str, limit: usize, what: &str) -> Result<(), E> {
        if text.len() > limit {
            return Err(self.exceeded(format_args!(
                "a {what} of {} bytes, at most {limit} are read",
                text.len()
            )));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Capped<'a> {
    budget: &'a Budget<'a>,
    depth: usize,
}

impl Capped<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let limit = self.budget.limits.depth;
        if self.depth == limit {
            return Err(self.budget.exceeded(format_args!(
                "objects and arrays are more than {limit} deep"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Capped<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.budget.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Capped<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.budget
            .text(text, self.budget.limits.text_bytes, "text")?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let limit = self.budget.limits.rows;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inside)? {
            if values.len() == limit {
                return Err(self
                    .budget
                    .exceeded(format_args!("an array of more than {limit} items")));
            }
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let limits = self.budget.limits;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.budget.text(&name, limits.name_bytes, "name")?;
            if object.len() == limits.fields {
                return Err(self.budget.exceeded(format_args!(
                    "an object of more than {} values",
                    limits.fields
                )));
            }
            if object.contains_key(&name) {
                // Which of the two is meant cannot be known.
                return Err(Error::custom(format_args!("the name '{name}' twice")));
            }
            let value = members.next_value_seed(inside)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}
