//! What a person reads while the program works, all of it on the standard error: progress, notes, warnings, errors.
//!
//! On a terminal progress is a bar; elsewhere a plain line every few seconds, so that a log shows life without
//! filling up; with `--quiet` nothing. Every other line goes through here too, since a line that is printed past a bar
//! tears it. Here, too, text from files loses what could steer the terminal, and long lines are wrapped to its width.

mod bar;
mod screen;

use crate::table;
use bar::Bar;
use crucible_core::printable_lines;
use screen::Screen;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two plain lines of one piece of work.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Errors alone.
    Quiet,
    /// And warnings, progress and notes.
    Normal,
    /// And details.
    Verbose,
}

/// The way to the standard error.
#[derive(Clone, Debug)]
pub struct Reporter {
    level: Level,
    /// Where the standard error is a terminal.
    screen: Option<Arc<Screen>>,
    /// Progress is shown as bars there.
    bars: bool,
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
        Self {
            level,
            screen: terminal.then(|| Arc::new(Screen::new())),
            bars: terminal && level > Level::Quiet && !console::is_dumb(),
            colour: terminal && !plain,
            warned: None,
        }
    }

    /// The same way for work inside other work, many times over: errors pass, each warning once, bars and notes not at all.
    #[must_use]
    pub fn within(&self) -> Self {
        Self { warned: Some(Arc::default()), ..self.clone() }
    }

    /// Whether this is work inside other work.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.warned.is_some()
    }

    /// What the user may want to know.
    pub fn note(&self, text: impl Display) {
        if self.level >= Level::Normal && !self.is_within() {
            self.line("", "", &in_few_lines(&text.to_string()));
        }
    }

    /// What only `-v` shows.
    pub fn detail(&self, text: impl Display) {
        if self.level >= Level::Verbose && !self.is_within() {
            self.line("", "", &in_few_lines(&text.to_string()));
        }
    }

    /// What is likely wrong and did not stop the work.
    pub fn warn(&self, text: impl Display) {
        if self.level < Level::Normal {
            return;
        }
        if let Some(warned) = &self.warned
            && !warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_string())
        {
            return;
        }
        self.line("warning: ", "\u{1b}[1;33m", &in_few_lines(&text.to_string()));
    }

    /// What stopped the work.
    pub fn error(&self, text: impl Display) {
        self.line("error: ", "\u{1b}[1;31m", &text);
    }

    /// Starts a piece of work of `total` units (0: unknown), such as `("training", "steps")`.
    #[must_use]
    pub fn start(&self, what: &str, unit: &str, total: u64) -> Progress {
        let bar = Arc::new(Bar::new(what, unit, total));
        let shown = if self.is_within() || !self.bars { None } else { self.screen.clone() };
        if let Some(screen) = &shown {
            screen.add(&bar);
        }
        let last_line = Mutex::new(Instant::now());
        Progress { inner: Arc::new(Inner { reporter: self.clone(), bar, screen: shown, last_line }) }
    }

    /// Lets `print` write to the terminal where bars may stand, such as to the standard output.
    pub fn above<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.screen {
            Some(screen) => screen.above(print),
            None => print(),
        }
    }

    fn line(&self, label: &str, colour: &str, text: &dyn Display) {
        let text = text.to_string();
        let text = printable_lines(&text);
        let mut text = match &self.screen {
            Some(screen) => table::hanging(label, &text, screen.columns()),
            None => format!("{label}{text}"),
        };
        if self.colour && !label.is_empty() {
            text.replace_range(..label.len(), &format!("{colour}{label}\u{1b}[0m"));
        }
        // A closed standard error is no reason to stop, and `eprintln!` would panic.
        self.above(|| {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }
}

/// Line ends that nobody but the program itself wrote: those before its indented lines, and the last one. Others came with
/// an id or a name, and would let it pose as a message of its own.
fn in_few_lines(text: &str) -> String {
    let mut out = String::new();
    for (number, line) in text.split('\n').enumerate() {
        let own = line.starts_with("  ") || line.is_empty();
        out += if number == 0 {
            ""
        } else if own {
            "\n"
        } else {
            "\\n"
        };
        out += line;
    }
    out
}

/// One piece of work. Clones share it, so several threads may count; the last one that is dropped removes the bar.
#[derive(Clone)]
pub struct Progress {
    inner: Arc<Inner>,
}

struct Inner {
    reporter: Reporter,
    bar: Arc<Bar>,
    /// Where the bar is shown; none where it is not.
    screen: Option<Arc<Screen>>,
    /// When the last plain line was printed.
    last_line: Mutex<Instant>,
}

impl Progress {
    /// `count` more units are done.
    pub fn inc(&self, count: u64) {
        self.inner.bar.inc(count);
        self.show();
    }

    /// `done` units are done in all, such as after a resume.
    pub fn set(&self, done: u64) {
        self.inner.bar.set(done);
        self.show();
    }

    /// What is said beside the count, such as the loss.
    pub fn message(&self, text: impl Display) {
        self.inner.bar.message(&text.to_string());
    }

    fn show(&self) {
        let inner = &self.inner;
        if let Some(screen) = &inner.screen {
            return screen.tick();
        }
        // Whoever finds it locked leaves the line to the other thread.
        let Ok(mut last) = inner.last_line.try_lock() else { return };
        if last.elapsed() >= LINE_INTERVAL {
            *last = Instant::now();
            inner.reporter.note(inner.bar.plain_line());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(screen) = &self.screen {
            screen.remove(&self.bar);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_begins_no_line() {
        assert_eq!(in_few_lines("3 ids, such as a\nerror: b\n  help: c\n"), "3 ids, such as a\\nerror: b\n  help: c\n");
        assert_eq!(in_few_lines("\n"), "\n");
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
        assert_eq!(progress.inner.bar.done(), 100);
    }
}
