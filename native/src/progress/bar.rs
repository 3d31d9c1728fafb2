//! How far one piece of work is, as a line.

use console::{measure_text_width, truncate_str};
use crucible_core::printable;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Columns between a bar's brackets: at most, and at least.
const BAR: (usize, usize) = (30, 10);
/// A message is cut to no less than this; where there is no room for it, it is left out.
const LEAST_MESSAGE: usize = 10;

/// One piece of work.
#[derive(Debug)]
pub(super) struct Bar {
    what: String,
    unit: String,
    /// 0: unknown.
    total: u64,
    done: AtomicU64,
    /// What was done before the start, such as before a resume.
    before: AtomicU64,
    started: Instant,
    message: Mutex<String>,
}

impl Bar {
    pub(super) fn new(what: &str, unit: &str, total: u64) -> Self {
        Self {
            what: printable(what).into_owned(),
            unit: unit.to_owned(),
            total,
            done: AtomicU64::new(0),
            before: AtomicU64::new(0),
            started: Instant::now(),
            message: Mutex::default(),
        }
    }

    pub(super) fn inc(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn set(&self, done: u64) {
        if self.done.swap(done, Ordering::Relaxed) == 0 {
            self.before.store(done, Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(super) fn message(&self, text: &str) {
        *self.message.lock().unwrap_or_else(PoisonError::into_inner) = printable(text).into_owned();
    }

    fn said(&self) -> String {
        self.message.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// "35 s left", as far as it can be told.
    fn left(&self, done: u64, spent: Duration) -> Option<String> {
        let now = done.saturating_sub(self.before.load(Ordering::Relaxed));
        let rate = spent.as_secs_f64() / now as f64;
        (now > 0 && self.total > 0).then(|| duration(rate * self.total.saturating_sub(done) as f64) + " left")
    }

    /// For a log: "training: 1200/10000 steps (12 %), 35 s left; loss 1.25".
    pub(super) fn plain_line(&self) -> String {
        self.plain_line_after(self.started.elapsed())
    }

    fn plain_line_after(&self, spent: Duration) -> String {
        let (what, unit, total) = (&self.what, &self.unit, self.total);
        let done = self.done.load(Ordering::Relaxed);
        let message = self.said();
        let tail = if message.is_empty() { message } else { format!("; {message}") };
        if total == 0 || done == 0 {
            return format!("{what}: {done} {unit}{tail}");
        }
        let percent = 100.0 * done as f64 / total as f64;
        let left = self.left(done, spent).map_or_else(String::new, |left| format!(", {left}"));
        format!("{what}: {done}/{total} {unit} ({percent:.0} %){left}{tail}")
    }

    /// For a terminal, in at most so many columns: "training [===>   ] 1,200/10,000 steps (35 s left) loss 1.25". What
    /// there is no room for is left out: the bar, the message, the time.
    pub(super) fn line(&self, width: usize) -> String {
        self.line_after(self.started.elapsed(), width)
    }

    fn line_after(&self, spent: Duration, width: usize) -> String {
        let done = self.done.load(Ordering::Relaxed);
        let count = if self.total == 0 { grouped(done) } else { format!("{}/{}", grouped(done), grouped(self.total)) };
        let count = format!("{count} {}", self.unit);
        let left = self.left(done, spent).map_or_else(String::new, |left| format!(" ({left})"));
        let message = self.said();
        let message = if message.is_empty() { message } else { format!(" {message}") };
        let columns = measure_text_width;

        let all = columns(&self.what) + columns(&count) + columns(&left) + columns(&message) + " [] ".len();
        if self.total > 0 && all + BAR.1 <= width {
            let bar = bar(done, self.total, BAR.0.min(width - all));
            return format!("{} [{bar}] {count}{left}{message}", self.what);
        }
        let mut line = format!("{} {count}", self.what);
        if columns(&line) + columns(&left) <= width {
            line += &left;
        }
        let room = width.saturating_sub(columns(&line));
        if room > LEAST_MESSAGE {
            line += &truncate_str(&message, room, "…");
        }
        truncate_str(&line, width, "…").into_owned()
    }
}

/// `===>   `.
fn bar(done: u64, total: u64, width: usize) -> String {
    let full = ((done.min(total) as f64 / total as f64) * width as f64) as usize;
    let head = if full < width { ">" } else { "" };
    format!("{:<width$}", "=".repeat(full) + head)
}

/// `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds as "35 s", "4 min", "2.5 h".
fn duration(secs: f64) -> String {
    match secs {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar_at(what: &str, total: u64, done: u64, message: &str) -> Bar {
        let bar = Bar::new(what, "steps", total);
        bar.inc(done);
        bar.message(message);
        bar
    }

    #[test]
    fn plain_lines_say_how_far_and_how_long() {
        let line = |bar: &Bar, secs| bar.plain_line_after(Duration::from_secs(secs));
        let bar = bar_at("training", 10_000, 1200, "loss 1.25");
        assert_eq!(line(&bar, 60), "training: 1200/10000 steps (12 %), 7 min left; loss 1.25");
        assert_eq!(line(&bar_at("reading", 0, 5, ""), 1), "reading: 5 steps");
        assert_eq!(line(&bar_at("reading", 9, 0, ""), 0), "reading: 0 steps");
    }

    #[test]
    fn what_was_done_before_a_resume_took_no_time_now() {
        let bar = Bar::new("training", "steps", 1000);
        bar.set(800);
        assert_eq!(bar.plain_line_after(Duration::from_secs(1)), "training: 800/1000 steps (80 %)");
        bar.set(900);
        let line = bar.plain_line_after(Duration::from_secs(10));
        assert_eq!(line, "training: 900/1000 steps (90 %), 10 s left");
    }

    #[test]
    fn a_line_fits_any_width() {
        let spent = Duration::from_secs(60);
        let bar = bar_at("training", 10_000, 1200, "loss 1.25");
        let line = |width| bar.line_after(spent, width);
        let wide = "training [===>                          ] 1,200/10,000 steps (7 min left) loss 1.25";
        assert_eq!(line(120), wide);
        assert_eq!(line(79), "training [===>                      ] 1,200/10,000 steps (7 min left) loss 1.25");
        assert_eq!(line(60), "training 1,200/10,000 steps (7 min left) loss 1.25");
        assert_eq!(line(52), "training 1,200/10,000 steps (7 min left) loss 1.25");
        assert_eq!(line(40), "training 1,200/10,000 steps (7 min left)");
        assert_eq!(line(39), "training 1,200/10,000 steps loss 1.25");
        assert_eq!(line(20), "training 1,200/10,0…");
        for bar in [bar, bar_at("学習中の条件", 70, 70, "種 1: 完了しました"), bar_at("x", 0, 3, &"é".repeat(300))]
        {
            for width in 1..150 {
                let line = bar.line_after(spent, width);
                assert!(measure_text_width(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn names_and_messages_steer_no_terminal() {
        let bar = bar_at("a\u{1b}[2J\nb", 2, 1, "\u{7}c\r");
        let line = bar.line_after(Duration::from_secs(1), 200);
        assert!(line.starts_with("a\\u{1b}[2J\\nb ["), "{line}");
        assert!(line.ends_with(" \\u{7}c\\r"), "{line}");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
