//! "Did you mean …?"

/// The candidate that `wanted` is most likely a slip for; none when all are too far. The first of equals wins.
#[must_use]
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Distance is quadratic in length: names from outside may be long.
    if wanted.len() > 256 {
        return None;
    }
    let wanted_lower = wanted.to_lowercase();
    // A third of the letters may be wrong; of short names one.
    let limit = (wanted.chars().count() / 3).max(1);
    let distance = |c: &str| strsim::damerau_levenshtein(&wanted_lower, &c.to_lowercase());
    candidates
        .into_iter()
        .filter(|c| c.len() <= 256)
        .map(|c| (distance(c), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let keys = ["steps", "batch_size", "learning_rate"];
        assert_eq!(nearest("stepz", keys), Some("steps"));
        assert_eq!(nearest("Batch_Sise", keys), Some("batch_size"));
        assert_eq!(nearest("learnig_rate", keys), Some("learning_rate"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest(&"steps".repeat(100_000), keys), None);
    }
}
