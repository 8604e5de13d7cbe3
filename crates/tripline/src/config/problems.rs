//! What is wrong, all of it.

use crate::commands::chain;

/// What was found wrong so far, in words for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    /// Notes one.
    pub(crate) fn add(&mut self, text: impl Into<String>) {
        let text = text.into();
        // Two levels may lead to the same.
        if !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    /// Notes an error; what went well is handed on.
    pub(crate) fn keep<T>(&mut self, outcome: anyhow::Result<T>) -> Option<T> {
        outcome.map_err(|error| self.add(chain(&error))).ok()
    }

    /// Takes those of others in.
    pub(crate) fn extend(&mut self, others: Self) {
        for text in others.0 {
            self.add(text);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// An error that tells all of them, if there are any.
    pub(crate) fn into_result(self) -> anyhow::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(anyhow::Error::msg(self.0.join("\nerror: ")))
    }
}
