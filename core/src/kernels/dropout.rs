//! Dropout by a hash of the unit's place, so that backward repeats forward's mask without storing it, on any backend.

/// Zeroes a `share` of `x` and scales the rest by `1 / (1 − share)`; unit i is decided by `(seed, offset + i)`.
#[inline(always)]
pub fn apply(x: &mut [f32], share: f64, seed: u32, offset: u32) {
    if share <= 0.0 {
        return;
    }
    let (threshold, scale) = threshold(share);
    for (i, x) in x.iter_mut().enumerate() {
        *x = if kept(offset.wrapping_add(i as u32), seed, threshold) { *x * scale } else { 0.0 };
    }
}

/// The hash below which a unit is dropped, and the scale of the others.
#[must_use]
pub fn threshold(share: f64) -> (u32, f32) {
    ((share.max(0.0) * 4_294_967_296.0) as u32, (1.0 / (1.0 - share.max(0.0))) as f32)
}

/// Whether unit `unit` of the layer is kept.
#[inline(always)]
#[must_use]
pub fn kept(unit: u32, seed: u32, threshold: u32) -> bool {
    hash(unit ^ seed) >= threshold
}

/// A 32-bit mixer (the finaliser of MurmurHash3, public domain), twice.
#[inline(always)]
fn hash(x: u32) -> u32 {
    let mix = |x: u32| {
        let x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
        let x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
        x ^ (x >> 16)
    };
    mix(mix(x).wrapping_add(0x9e37_79b9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_the_share_and_keeps_the_mean() {
        let mut x = vec![1.0f32; 100_000];
        apply(&mut x, 0.25, 7, 0);
        let dropped = x.iter().filter(|x| **x == 0.0).count();
        // Standard deviation 137: four of them on either side.
        assert!((24_450..25_550).contains(&dropped), "{dropped}");
        let mut tail = vec![1.0f32; 50_000];
        apply(&mut tail, 0.25, 7, 50_000);
        assert_eq!(tail, x[50_000..], "a block's mask depends on its place alone");
        let mut other = vec![1.0f32; 100_000];
        apply(&mut other, 0.25, 8, 0);
        assert_ne!(other, x, "another seed, another mask");
    }

    #[test]
    fn the_rest_is_scaled_and_the_mask_repeats() {
        let (mut x, mut again) = (vec![2.0f32; 1000], vec![2.0f32; 1000]);
        apply(&mut x, 0.2, 3, 40);
        apply(&mut again, 0.2, 3, 40);
        assert_eq!(x, again);
        assert!(x.iter().all(|x| *x == 0.0 || *x == 2.5));
        let mut same = vec![2.0f32; 1000];
        apply(&mut same, 0.0, 3, 40);
        assert_eq!(same, [2.0; 1000]);
    }
}
