//! The time of day, for what tells it.

use jiff::Timestamp;
use std::time::SystemTime;

/// The time of day. A clock that is set to a year that can't be told stands at the last one that can.
#[must_use]
pub fn timestamp() -> Timestamp {
    of(SystemTime::now())
}

fn of(time: SystemTime) -> Timestamp {
    let nearest = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(time).unwrap_or(nearest)
}

/// UTC, to the second.
#[must_use]
pub fn now() -> String {
    let now = timestamp();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_to_the_second() {
        let now = now();
        assert!(now.len() == "2026-01-01T00:00:00Z".len() && now.ends_with('Z'), "{now}");
    }

    #[test]
    fn a_clock_that_is_far_off_is_no_crash() {
        use std::time::Duration;
        let years = |n: u64| Duration::from_secs(n * 31_556_952);
        for (time, year) in [
            (SystemTime::UNIX_EPOCH.checked_add(years(200_000)), "9999"),
            (SystemTime::UNIX_EPOCH.checked_sub(years(20_000)), "-009999"),
            (SystemTime::UNIX_EPOCH.checked_sub(years(10)), "1960"),
        ] {
            let Some(time) = time else { continue };
            assert!(of(time).to_string().starts_with(year), "{}", of(time));
        }
    }
}
