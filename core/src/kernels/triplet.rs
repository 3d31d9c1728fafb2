//! Triplet loss over a row of similarities: the mean over the bundle's negatives of `max(0, margin − s_p + s_n)`.

/// One anchor. On entry `row` holds similarities; on exit the gradient of `scale · loss` by them: zero for all but the
/// positive and those of the bundle's own `negatives` inside the margin. Returns the loss.
#[inline(always)]
pub fn row(row: &mut [f32], positive: usize, negatives: std::ops::Range<usize>, margin: f32, scale: f32) -> f32 {
    let share = 1.0 / negatives.len().max(1) as f32;
    let anchor_positive = row[positive];
    let own = negatives.start;
    let mut loss = 0.0;
    let mut active = 0.0;
    for (j, s) in row.iter_mut().enumerate() {
        let excess = margin - anchor_positive + *s;
        if negatives.contains(&j) && excess > 0.0 {
            loss += excess * share;
            active += 1.0;
            *s = scale * share;
        } else {
            *s = 0.0;
        }
    }
    debug_assert!(own != positive, "the positive is no negative");
    row[positive] = -scale * share * active;
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn equals_the_plain_formula() {
        let mut stream = Stream::new(5, "triplet", 0);
        for _ in 0..200 {
            let s: Vec<f32> = (0..12).map(|_| stream.symmetric(1.0)).collect();
            let (positive, first) = (stream.below(3), 3 + stream.below(5));
            let own = first..first + 1 + stream.below(4);
            let (margin, scale) = (0.3, 0.5);
            let share = 1.0 / own.len() as f32;
            let excess = |n: usize| margin - s[positive] + s[n];
            let want: f32 = own.clone().map(|n| excess(n).max(0.0) * share).sum();
            let mut got = s.clone();
            let loss = row(&mut got, positive, own.clone(), margin, scale);
            assert!((loss - want).abs() < 1e-6, "{loss}, expected {want}");
            for (j, got) in got.iter().enumerate() {
                let active = own.clone().filter(|n| excess(*n) > 0.0 && (j == positive || j == *n)).count() as f32;
                let want = active * share * scale * if j == positive { -1.0 } else { 1.0 };
                assert!((got - want).abs() < 1e-6, "d[{j}] is {got}, expected {want}");
            }
        }
    }
}
