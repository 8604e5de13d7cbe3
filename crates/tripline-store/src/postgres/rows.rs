//! Verdicts in the binary form of PostgreSQL's COPY: a header, then for each row the number of its
//! fields and each field behind its length, -1 for NULL, then -1.
//! See <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

use bytes::{BufMut, Bytes, BytesMut};

use super::text::escaped;
use crate::{AttackPart, NewVerdict, Source};

/// Takes [`Rows`] in; the fields are in this order.
pub(super) const COPY: &str = "COPY verdicts (id, created_at, row_number, score, confidence, \
     named_confidence, provenance, class, class_id, named, source, stage, is_threat, is_attack, \
     label, features, reasons, flow) FROM STDIN (FORMAT binary)";

const FIELDS: i16 = 18;

/// Signature, flags, length of an extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// How much is handed over at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Rows being written.
#[derive(Debug)]
pub(super) struct Rows {
    full: Vec<Bytes>,
    buffer: BytesMut,
}

impl Rows {
    pub(super) fn new() -> Self {
        let mut buffer = BytesMut::with_capacity(PIECE_BYTES);
        buffer.put_slice(HEADER);
        Self {
            full: Vec::new(),
            buffer,
        }
    }

    pub(super) fn add(
        &mut self,
        row_key: i64,
        source: Source,
        provenance: i32,
        attack: Option<AttackPart<i32>>,
        verdict: &NewVerdict<'_>,
    ) {
        let named = attack.and_then(|attack| attack.named);
        let threat = verdict.threat;
        self.buffer.put_i16(FIELDS);
        self.long(Some(row_key));
        self.long(Some(verdict.created_at.0));
        self.long(verdict.row_number.map(u64::cast_signed));
        self.float(threat.map(|threat| threat.probability));
        self.float(attack.map(|attack| attack.confidence));
        self.float(named.map(|named| named.confidence));
        self.int(Some(provenance));
        self.int(attack.map(|attack| attack.class));
        self.int(attack.map(|attack| attack.class_id.cast_signed()));
        self.int(named.map(|named| named.label));
        self.short(source.code() as i16);
        self.short(verdict.stage.code() as i16);
        self.flag(threat.map(|threat| threat.is_threat));
        self.flag(attack.map(|attack| attack.is_attack));
        let label = verdict.label.map(escaped);
        self.bytes(label.as_ref().map(|label| label.as_bytes()));
        self.bytes(Some(verdict.features));
        self.bytes(Some(verdict.reasons));
        self.bytes(verdict.flow);
        if self.buffer.len() >= PIECE_BYTES {
            let next = BytesMut::with_capacity(PIECE_BYTES);
            let full = std::mem::replace(&mut self.buffer, next);
            self.full.push(full.freeze());
        }
    }

    /// All of it, in pieces.
    pub(super) fn finish(mut self) -> Vec<Bytes> {
        self.buffer.put_i16(-1);
        self.full.push(self.buffer.freeze());
        self.full
    }

    fn long(&mut self, value: Option<i64>) {
        self.bytes(
            value
                .map(i64::to_be_bytes)
                .as_ref()
                .map(<[u8; 8]>::as_slice),
        );
    }

    fn float(&mut self, value: Option<f64>) {
        self.bytes(
            value
                .map(f64::to_be_bytes)
                .as_ref()
                .map(<[u8; 8]>::as_slice),
        );
    }

    fn int(&mut self, value: Option<i32>) {
        self.bytes(
            value
                .map(i32::to_be_bytes)
                .as_ref()
                .map(<[u8; 4]>::as_slice),
        );
    }

    fn short(&mut self, value: i16) {
        self.bytes(Some(&value.to_be_bytes()));
    }

    fn flag(&mut self, value: Option<bool>) {
        self.bytes(
            value
                .map(|flag| [u8::from(flag)])
                .as_ref()
                .map(<[u8; 1]>::as_slice),
        );
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        match value {
            Some(bytes) => {
                self.buffer.put_i32(bytes.len() as i32);
                self.buffer.put_slice(bytes);
            }
            None => self.buffer.put_i32(-1),
        }
    }
}
