use std::io::{self, Write};

/// Writes packets to a classic pcap file: little-endian, microseconds, Ethernet.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    out: W,
}

const SNAP_BYTES: u32 = 262_144;

impl<W: Write> PcapWriter<W> {
    /// Writes the header.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?;
        out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        out.write_all(&SNAP_BYTES.to_le_bytes())?;
        out.write_all(&1_u32.to_le_bytes())?;
        Ok(Self { out })
    }

    /// Writes a frame.
    pub fn write(&mut self, time_micros: i64, frame: &[u8]) -> io::Result<()> {
        let seconds = time_micros.div_euclid(1_000_000) as u32;
        let micros = time_micros.rem_euclid(1_000_000) as u32;
        let length = frame.len() as u32;
        for field in [seconds, micros, length, length] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.out.write_all(frame)
    }

    /// Gives the writer back, everything written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
