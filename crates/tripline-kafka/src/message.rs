use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedMessage, Headers, Message as _};

/// A message as it was read from its topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Its place in its partition.
    pub offset: i64,
    /// Its time, in milliseconds since 1970, as its sender or the broker set it.
    pub timestamp_millis: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its payload; `None` for a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Its headers, in their order; a name may come more than once.
    pub headers: Vec<Header>,
    /// Whether there are headers whose names are no text, which were left out.
    pub has_unreadable_headers: bool,
}

/// A header of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

impl Header {
    /// A header with a value.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            value: Some(value.into()),
        }
    }
}

impl Message {
    /// The value of the last header of this name, as Kafka's own clients choose.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.headers.iter().rev();
        headers.find(|header| header.name == name)?.value.as_deref()
    }

    /// The memory it takes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let optional = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter();
        let headers: usize = headers
            .map(|header| size_of::<Header>() + header.name.len() + optional(&header.value))
            .sum();
        size_of::<Self>() + optional(&self.key) + optional(&self.payload) + headers
    }

    pub(crate) fn copied(message: &BorrowedMessage<'_>) -> Self {
        let mut headers = Vec::new();
        let mut has_unreadable_headers = false;
        if let Some(found) = message.headers() {
            for index in 0..found.count() {
                // The client library panics over a name that is no UTF-8, and offers no other way
                // to look at it. One such message must not end the thread.
                match catch_unwind(AssertUnwindSafe(|| found.try_get(index))) {
                    Ok(Some(header)) => headers.push(Header {
                        name: header.key.to_owned(),
                        value: header.value.map(<[u8]>::to_vec),
                    }),
                    Ok(None) => {}
                    Err(_) => has_unreadable_headers = true,
                }
            }
        }
        Self {
            offset: message.offset(),
            timestamp_millis: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers,
            has_unreadable_headers,
        }
    }
}
