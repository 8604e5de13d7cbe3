//! Headers, byte by byte.

pub(super) const SOURCE_6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(super) const DESTINATION_6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

pub(super) fn ethernet(kind: u16, inside: &[u8]) -> Vec<u8> {
    [
        &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2],
        &kind.to_be_bytes()[..],
        inside,
    ]
    .concat()
}

/// A header that ends in an EtherType.
pub(super) fn tag(before: &[u8], kind: u16, inside: &[u8]) -> Vec<u8> {
    [before, &kind.to_be_bytes(), inside].concat()
}

pub(super) fn ipv4(protocol: u8, inside: &[u8]) -> Vec<u8> {
    ipv4_piece(protocol, 1, 0, inside)
}

/// With the identification, and the flags and the offset of a fragment in eight bytes.
pub(super) fn ipv4_piece(protocol: u8, identification: u16, place: u16, inside: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend((inside.len() as u16 + 20).to_be_bytes());
    bytes.extend(identification.to_be_bytes());
    bytes.extend(place.to_be_bytes());
    bytes.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend(inside);
    bytes
}

pub(super) fn ipv6(next: u8, inside: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((inside.len() as u16).to_be_bytes());
    bytes.extend([next, 64]);
    bytes.extend(SOURCE_6);
    bytes.extend(DESTINATION_6);
    bytes.extend(inside);
    bytes
}

/// An extension header of eight bytes or more, with its length by RFC 8200.
pub(super) fn extension(next: u8, bytes: usize, inside: &[u8]) -> Vec<u8> {
    let mut header = vec![0; bytes];
    header[0] = next;
    header[1] = (bytes / 8 - 1) as u8;
    [&header, inside].concat()
}

/// A fragment header; the offset in eight bytes.
pub(super) fn fragment6(next: u8, offset: u16, more: bool, inside: &[u8]) -> Vec<u8> {
    let place = offset << 3 | u16::from(more);
    [&[next, 0], &place.to_be_bytes()[..], &[0, 0, 0, 9], inside].concat()
}

pub(super) fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![
        0x03, 0xe8, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0x20, 0,
    ];
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

pub(super) fn udp(destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x03, 0xe8];
    bytes.extend(destination.to_be_bytes());
    bytes.extend((payload.len() as u16 + 8).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

pub(super) fn tcp4(payload: &[u8]) -> Vec<u8> {
    ipv4(6, &tcp(payload))
}

pub(super) fn tcp6(payload: &[u8]) -> Vec<u8> {
    ipv6(6, &tcp(payload))
}
