//! A time: warmed up, repeated, with its spread.

/// How a time is taken.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seconds that one repeat should take at least; short runs are put together.
    pub seconds: f64,
    /// How many repeats.
    pub repeats: u32,
    /// The most runs that are put together.
    pub most: u32,
}

/// Seconds of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Of the repeats.
    pub median: f64,
    /// The fastest.
    pub min: f64,
    /// The slowest.
    pub max: f64,
    /// How many there were.
    pub repeats: u32,
    /// Runs in each.
    pub runs: u32,
}

/// Times `run`, which runs the work as often as it is told and says how many seconds that took. Two calls come first and do
/// not count: one warms up, one tells how many runs fill a repeat.
///
/// # Errors
/// The first of `run`.
pub fn measure<E>(plan: &Plan, mut run: impl FnMut(u32) -> Result<f64, E>) -> Result<Timing, E> {
    run(1)?;
    // A clock that did not move says that a run is short, not that it takes no time.
    let one = run(1)?.max(1e-9);
    let runs = ((plan.seconds / one).ceil() as u32).clamp(1, plan.most.max(1));
    let mut seconds = Vec::new();
    for _ in 0..plan.repeats.max(1) {
        seconds.push(run(runs)? / f64::from(runs));
    }
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    let median = if seconds.len() % 2 == 1 { seconds[middle] } else { (seconds[middle - 1] + seconds[middle]) / 2.0 };
    let repeats = seconds.len() as u32;
    Ok(Timing { median, min: seconds[0], max: seconds[seconds.len() - 1], repeats, runs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_is_left_out_and_short_runs_are_put_together() {
        let mut calls = Vec::new();
        // The first call is slow; later ones take 2, 1 and 3 seconds for a hundred runs.
        let later = [2.0, 1.0, 3.0];
        let timing = measure(&Plan { seconds: 1.0, repeats: 3, most: 1000 }, |runs| {
            calls.push(runs);
            Ok::<f64, ()>(match calls.len() {
                1 => 50.0,
                2 => 0.01,
                n => later[n - 3],
            })
        });
        assert_eq!(calls, [1, 1, 100, 100, 100]);
        assert_eq!(timing, Ok(Timing { median: 0.02, min: 0.01, max: 0.03, repeats: 3, runs: 100 }));
    }

    #[test]
    fn runs_are_bounded_and_errors_end_it() {
        let plan = Plan { seconds: 1.0, repeats: 2, most: 7 };
        let timing = measure(&plan, |_| Ok::<f64, ()>(0.0)).expect("no error");
        assert_eq!((timing.runs, timing.repeats), (7, 2));
        let mut calls = 0;
        let failed = measure(&plan, |_| {
            calls += 1;
            if calls == 3 { Err("lost") } else { Ok(5.0) }
        });
        assert_eq!((failed, calls), (Err("lost"), 3));
    }
}
