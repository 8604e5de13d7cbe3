//! SipHash-1-3 (Aumasson, Bernstein, INDOCRYPT 2012) of whole words.
//!
//! A packet costs three of these. The stream interface of a library buffers and branches for
//! inputs of any length; here the length is known when the program is compiled.

/// The hash of bytes that were put together as little-endian words: `words`, and a last one that
/// holds what is left of them, less than eight bytes, with the length of all of them (modulo 256)
/// in its highest byte.
#[inline]
pub(crate) fn hash<const N: usize>(key: [u64; 2], words: [u64; N], last: u64) -> u64 {
    let [low, high] = key;
    let mut state = [
        low ^ 0x736f_6d65_7073_6575,
        high ^ 0x646f_7261_6e64_6f6d,
        low ^ 0x6c79_6765_6e65_7261,
        high ^ 0x7465_6462_7974_6573,
    ];
    for word in words {
        take(&mut state, word);
    }
    take(&mut state, last);
    state[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut state);
    }
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

/// The last word of so many bytes that nothing is left of.
pub(crate) const fn length(bytes: usize) -> u64 {
    (bytes as u64) << 56
}

/// An address as words.
#[inline]
pub(crate) fn words(octets: &[u8; 16]) -> [u64; 2] {
    let whole = u128::from_le_bytes(*octets);
    [whole as u64, (whole >> 64) as u64]
}

#[inline]
fn take(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    round(state);
    state[0] ^= word;
}

#[inline]
fn round(state: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *state;
    a = a.wrapping_add(b);
    c = c.wrapping_add(d);
    b = b.rotate_left(13) ^ a;
    d = d.rotate_left(16) ^ c;
    a = a.rotate_left(32);
    c = c.wrapping_add(b);
    a = a.wrapping_add(d);
    b = b.rotate_left(17) ^ c;
    d = d.rotate_left(21) ^ a;
    c = c.rotate_left(32);
    *state = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use proptest::prelude::*;
    use siphasher::sip::SipHasher13;

    use super::*;

    proptest! {
        #[test]
        fn the_same_as_the_library(key: [u64; 2], bytes: [u8; 16], more: u64, left: u32) {
            let [first, second] = words(&bytes);
            let mut whole = SipHasher13::new_with_keys(key[0], key[1]);
            whole.write(&bytes);
            whole.write(&more.to_le_bytes());
            prop_assert_eq!(hash(key, [first, second, more], length(24)), whole.finish());
            whole.write(&left.to_le_bytes());
            let last = u64::from(left) | length(28);
            prop_assert_eq!(hash(key, [first, second, more], last), whole.finish());
        }
    }
}
