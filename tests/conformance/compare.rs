//! Equality up to a bound that grows with the value.

/// `|got − expected| ≤ absolute + relative · |expected|`.
#[derive(Clone, Copy)]
pub(crate) struct Tolerance {
    /// In the unit of the values.
    pub(crate) absolute: f64,
    /// A fraction of the expected value.
    pub(crate) relative: f64,
}

/// # Errors
/// Where `got` has another length, a NaN, or a value out of bounds: the first such place with both values and the bound.
pub(crate) fn close(what: &str, got: &[f32], expected: &[f64], tolerance: Tolerance) -> Result<(), String> {
    if got.len() != expected.len() {
        return Err(format!("{what}: {} numbers, expected {}", got.len(), expected.len()));
    }
    for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        // First of all: NaN compares as neither above nor below any bound.
        if got.is_nan() || expected.is_nan() {
            return Err(format!("{what}: at {i}: got {got}, expected {expected}; NaN is never right"));
        }
        let bound = tolerance.absolute + tolerance.relative * expected.abs();
        let apart = (f64::from(got) - expected).abs();
        if apart > bound {
            return Err(format!("{what}: at {i}: got {got}, expected {expected}, {apart:e} apart, bound {bound:e}"));
        }
    }
    Ok(())
}

/// # Errors
/// Where `got` has another length or another index: the first such place.
pub(crate) fn equal(what: &str, got: &[u32], expected: &[u32]) -> Result<(), String> {
    if got.len() != expected.len() {
        return Err(format!("{what}: {} indices, expected {}", got.len(), expected.len()));
    }
    match got.iter().zip(expected).position(|(got, expected)| got != expected) {
        Some(at) => Err(format!("{what}: at {at}: got {}, expected {}", got[at], expected[at])),
        None => Ok(()),
    }
}

#[test]
fn the_comparison_of_indices_refuses_what_it_should() {
    assert_eq!(equal("case", &[1, 2], &[1, 2]), Ok(()));
    for (got, expected) in [(&[1, 2][..], &[1, 3][..]), (&[1], &[1, 2]), (&[1, 2], &[1]), (&[u32::MAX], &[0])] {
        assert!(equal("case", got, expected).is_err(), "{got:?} and {expected:?}");
    }
}

#[test]
fn the_comparison_refuses_what_it_should() {
    let tolerance = Tolerance { absolute: 1e-6, relative: 1e-3 };
    let close = |got: &[f32], expected: &[f64]| close("case", got, expected, tolerance);
    assert_eq!(close(&[1.0, 100.05], &[1.0, 100.0]), Ok(()));
    for (got, expected) in [
        (&[1.0, 100.2][..], &[1.0, 100.0][..]),
        (&[1.0], &[1.0, 2.0]),
        (&[1.0, 2.0], &[1.0]),
        (&[f32::NAN], &[1.0]),
        (&[f32::NAN], &[f64::NAN]),
        (&[f32::INFINITY], &[1.0]),
        (&[0.0], &[2e-6]),
    ] {
        assert!(close(got, expected).is_err(), "{got:?} and {expected:?}");
    }
    assert!(close(&[3.0], &[2.0]).is_err_and(|e| e.contains("at 0: got 3, expected 2")));
}
