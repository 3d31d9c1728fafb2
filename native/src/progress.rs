//! What a person reads while the program works, all of it on the standard error: progress, notes, warnings, errors.
//!
//! On a terminal progress is a bar; elsewhere a plain line every few seconds, so that a log shows life without
//! filling up; with `--quiet` nothing. Every other line goes through here too, since a line that is printed past a bar
//! tears it, and indicatif's own `println` prints nothing where there is no terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two plain lines of one piece of work.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Warnings and errors.
    Quiet,
    /// And progress and notes.
    Normal,
    /// And details.
    Verbose,
}

/// The way to the standard error.
#[derive(Clone, Debug)]
pub struct Reporter {
    level: Level,
    bars: MultiProgress,
    terminal: bool,
    colour: bool,
    /// Work inside other work: what it has warned of.
    warned: Option<Arc<Mutex<BTreeSet<String>>>>,
}

impl Reporter {
    /// Says what `level` allows, with bars and colours where the standard error is a terminal (and `NO_COLOR` unset).
    #[must_use]
    pub fn new(level: Level) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let draw = terminal && level > Level::Quiet;
        let target = if draw { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            level,
            bars: MultiProgress::with_draw_target(target),
            terminal: draw,
            colour: terminal && !plain,
            warned: None,
        }
    }

    /// The same way for work inside other work, many times over: errors pass, each warning once, bars and notes not at all.
    #[must_use]
    pub fn within(&self) -> Self {
        Self { level: Level::Quiet, terminal: false, warned: Some(Arc::default()), ..self.clone() }
    }

    /// Whether this is work inside other work.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.warned.is_some()
    }

    /// What the user may want to know.
    pub fn note(&self, text: impl Display) {
        if self.level >= Level::Normal {
            self.line("", "", &text);
        }
    }

    /// What only `-v` shows.
    pub fn detail(&self, text: impl Display) {
        if self.level >= Level::Verbose {
            self.line("", "", &text);
        }
    }

    /// What is likely wrong and did not stop the work. `--quiet` keeps it.
    pub fn warn(&self, text: impl Display) {
        if let Some(warned) = &self.warned
            && !warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_string())
        {
            return;
        }
        self.line("warning: ", "\u{1b}[1;33m", &text);
    }

    /// What stopped the work.
    pub fn error(&self, text: impl Display) {
        self.line("error: ", "\u{1b}[1;31m", &text);
    }

    /// Starts a piece of work of `total` units (0: unknown), such as `("training", "steps")`.
    #[must_use]
    pub fn start(&self, what: &str, unit: &str, total: u64) -> Progress {
        let bar = if self.terminal { self.bars.add(new_bar(what, unit, total)) } else { ProgressBar::hidden() };
        Progress {
            inner: Arc::new(Inner {
                reporter: self.clone(),
                what: what.to_owned(),
                unit: unit.to_owned(),
                total,
                bar,
                done: AtomicU64::new(0),
                started: Instant::now(),
                last_line: Mutex::new((Instant::now(), String::new())),
            }),
        }
    }

    fn line(&self, label: &str, colour: &str, text: &dyn Display) {
        self.bars.suspend(|| {
            let text = if self.colour && !label.is_empty() {
                format!("{colour}{label}\u{1b}[0m{text}")
            } else {
                format!("{label}{text}")
            };
            // A closed standard error is no reason to stop, and `eprintln!` would panic.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }
}

fn new_bar(what: &str, unit: &str, total: u64) -> ProgressBar {
    let template = match total {
        0 => "{prefix} {spinner} {human_pos} {unit} {msg}",
        _ => "{prefix} [{bar:30}] {human_pos}/{human_len} {unit} ({eta} left) {msg}",
    };
    let style = ProgressStyle::with_template(&template.replace("{unit}", unit))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    let bar = if total == 0 { ProgressBar::no_length() } else { ProgressBar::new(total) };
    bar.set_style(style);
    bar.set_prefix(what.to_owned());
    bar
}

/// One piece of work. Clones share it, so several threads may count; the last one that is dropped removes the bar.
#[derive(Clone)]
pub struct Progress {
    inner: Arc<Inner>,
}

struct Inner {
    reporter: Reporter,
    what: String,
    unit: String,
    total: u64,
    bar: ProgressBar,
    done: AtomicU64,
    started: Instant,
    /// When the last plain line was printed, and what is to be said beside the count.
    last_line: Mutex<(Instant, String)>,
}

impl Progress {
    /// `count` more units are done.
    pub fn inc(&self, count: u64) {
        let done = self.inner.done.fetch_add(count, Ordering::Relaxed) + count;
        self.show(done);
    }

    /// `done` units are done in all, such as after a resume.
    pub fn set(&self, done: u64) {
        self.inner.done.store(done, Ordering::Relaxed);
        self.show(done);
    }

    /// What is said beside the count, such as the loss.
    pub fn message(&self, text: impl Display) {
        let text = text.to_string();
        self.inner.bar.set_message(text.clone());
        self.inner.last_line.lock().unwrap_or_else(PoisonError::into_inner).1 = text;
    }

    fn show(&self, done: u64) {
        let inner = &self.inner;
        inner.bar.set_position(done);
        if inner.reporter.terminal || inner.reporter.level < Level::Normal {
            return;
        }
        // Whoever finds it locked leaves the line to the other thread.
        let Ok(mut last) = inner.last_line.try_lock() else { return };
        if last.0.elapsed() >= LINE_INTERVAL {
            last.0 = Instant::now();
            inner.reporter.note(plain_line(
                &inner.what,
                &inner.unit,
                done,
                inner.total,
                inner.started.elapsed(),
                &last.1,
            ));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// "training: 1200/10000 steps (12 %), 35 s left; loss 1.25".
fn plain_line(what: &str, unit: &str, done: u64, total: u64, spent: Duration, message: &str) -> String {
    let tail = if message.is_empty() { String::new() } else { format!("; {message}") };
    if total == 0 || done == 0 {
        return format!("{what}: {done} {unit}{tail}");
    }
    let left = spent.as_secs_f64() / done as f64 * total.saturating_sub(done) as f64;
    let percent = 100.0 * done as f64 / total as f64;
    format!("{what}: {done}/{total} {unit} ({percent:.0} %), {} left{tail}", duration(left))
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

    #[test]
    fn plain_lines_say_how_far_and_how_long() {
        let line = plain_line("training", "steps", 1200, 10_000, Duration::from_secs(60), "loss 1.25");
        assert_eq!(line, "training: 1200/10000 steps (12 %), 7 min left; loss 1.25");
        assert_eq!(plain_line("reading", "events", 5, 0, Duration::from_secs(1), ""), "reading: 5 events");
        assert_eq!(plain_line("reading", "events", 0, 9, Duration::ZERO, ""), "reading: 0 events");
    }

    #[test]
    fn many_threads_count_together() {
        let progress = Reporter::new(Level::Quiet).start("x", "y", 100);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let progress = progress.clone();
                scope.spawn(move || (0..25).for_each(|_| progress.inc(1)));
            }
        });
        assert_eq!(progress.inner.done.load(Ordering::Relaxed), 100);
    }
}
