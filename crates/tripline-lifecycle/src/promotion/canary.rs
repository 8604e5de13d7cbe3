use sha2::{Digest, Sha256};

/// Whether the flow with this key is judged by a canary with this share of the flows.
///
/// The first 64 bits of SHA-256 over the candidate's identifier and the key, as a fraction of 2^64,
/// are below the share. So the same flow goes the same way on every machine and in every version,
/// another candidate takes other flows, and a larger share only adds flows.
///
/// ```
/// use tripline_lifecycle::promotion::goes_to_canary;
/// assert!(goes_to_canary(&[7; 16], b"a flow", 1.0));
/// assert!(!goes_to_canary(&[7; 16], b"a flow", 0.0));
/// ```
pub fn goes_to_canary(candidate: &[u8; 16], key: &[u8], share: f64) -> bool {
    if share.is_nan() || share <= 0.0 {
        return false;
    }
    if share >= 1.0 {
        return true;
    }
    let digest = Sha256::new_with_prefix(candidate)
        .chain_update(key)
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // 53 bits are what a share can tell apart.
    let fraction = (u64::from_be_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64;
    fraction < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_share_only_adds_flows() {
        let shares = [0.0, 0.01, 0.05, 0.25, 0.5, 1.0];
        let mut taken = [0; 6];
        for flow in 0..20_000_u32 {
            let key = flow.to_le_bytes();
            let goes: Vec<bool> = shares
                .iter()
                .map(|share| goes_to_canary(&[3; 16], &key, *share))
                .collect();
            assert!(goes.windows(2).all(|pair| !pair[0] || pair[1]));
            for (count, goes) in taken.iter_mut().zip(goes) {
                *count += u32::from(goes);
            }
        }
        assert_eq!((taken[0], taken[5]), (0, 20_000));
        assert!((150..250).contains(&taken[1]), "{taken:?}");
        assert!((4_800..5_200).contains(&taken[3]), "{taken:?}");
    }

    #[test]
    fn the_assignment_is_for_ever() {
        let goes: Vec<bool> = (0..16_u8)
            .map(|flow| goes_to_canary(&[1; 16], &[flow], 0.5))
            .collect();
        // If this changes, flows change their model with an update of the program.
        let recorded = [
            false, false, true, true, true, true, true, false, true, true, false, true, false,
            true, false, true,
        ];
        assert_eq!(goes, recorded);
        assert!(!goes_to_canary(&[1; 16], b"x", f64::NAN));
    }
}
