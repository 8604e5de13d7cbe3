use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::frame::End;
use crate::{Label, TrafficPacket};

/// Writes what each session was, as CSV: one line for a session, in the order of their beginnings.
#[derive(Debug)]
pub struct LabelWriter<W: Write> {
    out: W,
    sessions: BTreeMap<u64, Seen>,
}

#[derive(Debug)]
struct Seen {
    label: Label,
    protocol: u8,
    client: End,
    server: End,
    first_micros: i64,
    last_micros: i64,
    packets: u64,
}

impl<W: Write> LabelWriter<W> {
    /// Writes the header line.
    pub fn new(mut out: W) -> io::Result<Self> {
        writeln!(
            out,
            "session,label,protocol,source,source_port,destination,destination_port,first_micros,\
             last_micros,packets"
        )?;
        Ok(Self {
            out,
            sessions: BTreeMap::new(),
        })
    }

    /// Notes a packet.
    pub fn observe(&mut self, packet: &TrafficPacket<'_>) {
        let seen = self.sessions.entry(packet.session).or_insert(Seen {
            label: packet.label,
            protocol: packet.protocol,
            client: packet.client,
            server: packet.server,
            first_micros: packet.time_micros,
            last_micros: packet.time_micros,
            packets: 0,
        });
        seen.last_micros = packet.time_micros;
        seen.packets += 1;
    }

    /// Writes the lines and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        for (session, seen) in &self.sessions {
            writeln!(
                self.out,
                "{session},{},{},{},{},{},{},{},{},{}",
                seen.label.name(),
                seen.protocol,
                seen.client.address,
                seen.client.port,
                seen.server.address,
                seen.server.port,
                seen.first_micros,
                seen.last_micros,
                seen.packets
            )?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}
