//! Times of kernels as a table.

use super::kernels::{Clock, KernelTimes, LeftOut, Row};
use crate::table;

/// The table, with what it was measured on above it and what is missing below.
pub(super) fn text(times: &KernelTimes) -> String {
    let KernelTimes { device, peak, .. } = times;
    let threads =
        times.threads.map_or(String::new(), |n| format!(", {n} {}", if n == 1 { "thread" } else { "threads" }));
    let clock = match times.clock {
        Clock::Device => "the device's clock",
        Clock::Host => "the host's clock",
    };
    let head = format!(
        "{device}{threads}, by {clock}. Measured peaks: {} GFLOP/s, {} GB/s.",
        number(peak.gflops),
        number(peak.gbytes_per_second)
    );
    let width = times.kernels.iter().map(|row| row.kernel.len()).max().unwrap_or(0);
    let title = ["kernel", "time", "least", "most", "GFLOP/s", "GB/s", "of peak"].map(str::to_owned);
    let line = |row: &Row| {
        let (share, of) = if row.share_of_gflops > row.share_of_gbytes {
            (row.share_of_gflops, "flops")
        } else {
            (row.share_of_gbytes, "bytes")
        };
        [
            format!("{:<width$}  {}", row.kernel, row.problem),
            duration(row.seconds.median),
            duration(row.seconds.min),
            duration(row.seconds.max),
            number(row.gflops),
            number(row.gbytes_per_second),
            format!("{:.0} % of {of}", 100.0 * share),
        ]
    };
    let rows: Vec<[String; 7]> = std::iter::once(title).chain(times.kernels.iter().map(line)).collect();
    let mut text = table::wrapped("", 0, &head) + "\n" + &table::aligned(&rows);
    // Kernels that share a reason are named together, in the order of the first.
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for LeftOut { kernel, problem, reason } in &times.left_out {
        let reason = problem.as_ref().map_or_else(|| reason.clone(), |problem| format!("{problem}: {reason}"));
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, kernels)) => kernels.push(kernel),
            None => reasons.push((reason, vec![kernel])),
        }
    }
    for (reason, kernels) in reasons {
        text += &format!("\n{}", table::wrapped("", 0, &format!("Left out: {}: {reason}.", kernels.join(", "))));
    }
    text
}

/// Three digits that count.
fn number(x: f64) -> String {
    match x {
        x if x >= 99.95 => format!("{x:.0}"),
        x if x >= 9.995 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{} s", number(s)),
        s if s >= 1e-3 => format!("{} ms", number(s * 1e3)),
        s => format!("{} us", number(s * 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scale;
    use super::super::kernels::{Peak, row};
    use super::*;
    use crucible_core::bench::{self, Size, Timing};

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.123, 1.0, 9.999, 12.34, 99.99, 1234.5].map(number),
            ["0.12", "1.00", "10.0", "12.3", "100", "1234"]
        );
        assert_eq!([2.5, 0.0123, 45e-6].map(duration), ["2.50 s", "12.3 ms", "45.0 us"]);
    }

    #[test]
    fn the_table_says_which_peak_is_near_and_what_is_left_out() {
        let case = bench::cases("add", Size::Check)[0](Size::Check);
        let timing = Timing { median: 1e-6, min: 1e-6, max: 2e-6, repeats: 3, runs: 10 };
        let peak = Peak { gflops: 1.0, gbytes_per_second: 10.0 };
        let row = row(&case, timing, peak);
        // 420 additions in a microsecond; 12 bytes for each.
        assert_eq!((row.flops, row.bytes), (420, 5040));
        assert!((row.gflops - 0.42).abs() < 1e-9 && (row.share_of_gflops - 0.42).abs() < 1e-9, "{row:?}");
        assert!((row.share_of_gbytes - 0.504).abs() < 1e-9, "{row:?}");
        let left = |kernel| LeftOut { kernel, problem: None, reason: "not offered".to_owned() };
        let times = KernelTimes {
            crucible_version: String::new(),
            device: "card".to_owned(),
            threads: None,
            size: Scale::Quick,
            clock: Clock::Device,
            peak,
            kernels: vec![row],
            left_out: vec![left("similarity_f16"), left("similarity_coop")],
        };
        let text = text(&times);
        for part in [
            "card, by the device's clock.",
            "\nadd  21 vectors of 20  1.00 us  1.00 us  2.00 us ",
            "  50 % of bytes\n",
            "\nLeft out: similarity_f16, similarity_coop: not offered.\n",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
    }
}
