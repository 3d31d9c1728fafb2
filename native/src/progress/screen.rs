//! Bars at the bottom of a terminal.
//!
//! The cursor rests at the start of the first bar. However a terminal lays out its lines anew when its size changes, all
//! of the bars then stand behind the cursor, and clearing to the end of the screen takes all of them away.

use super::bar::Bar;
use console::Term;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two drawings.
const INTERVAL: Duration = Duration::from_millis(80);
/// To the start of the line, and nothing behind.
const CLEAR: &str = "\r\u{1b}[J";
/// Rows and columns of a terminal that does not tell.
const UNKNOWN: (u16, u16) = (24, 80);

/// The terminal behind the standard error.
#[derive(Debug)]
pub(super) struct Screen {
    term: Term,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    bars: Vec<Arc<Bar>>,
    drawn: bool,
    last: Option<Instant>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { term: Term::stderr(), shown: Mutex::default() }
    }

    /// Columns, as they are now.
    pub(super) fn columns(&self) -> usize {
        usize::from(self.term.size_checked().unwrap_or(UNKNOWN).1)
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, bar: &Arc<Bar>) {
        let mut shown = self.lock();
        shown.bars.push(Arc::clone(bar));
        self.draw(&mut shown);
    }

    pub(super) fn remove(&self, bar: &Arc<Bar>) {
        let mut shown = self.lock();
        shown.bars.retain(|known| !Arc::ptr_eq(known, bar));
        self.draw(&mut shown);
    }

    /// Draws, if the last time was long enough ago.
    pub(super) fn tick(&self) {
        // Whoever finds it locked leaves it to the other thread.
        let Ok(mut shown) = self.shown.try_lock() else { return };
        if shown.last.is_none_or(|last| last.elapsed() >= INTERVAL) {
            self.draw(&mut shown);
        }
    }

    /// Lets `write` print above the bars.
    pub(super) fn above<R>(&self, write: impl FnOnce() -> R) -> R {
        let mut shown = self.lock();
        if std::mem::take(&mut shown.drawn) {
            put(CLEAR);
        }
        let written = write();
        if !shown.bars.is_empty() {
            self.draw(&mut shown);
        }
        written
    }

    fn draw(&self, shown: &mut Shown) {
        let (rows, columns) = self.term.size_checked().unwrap_or(UNKNOWN);
        let text = frame(&shown.bars, usize::from(rows), usize::from(columns), shown.drawn);
        shown.drawn = !shown.bars.is_empty();
        shown.last = Some(Instant::now());
        put(&text);
    }
}

/// What draws `bars` where others may stand. The last column stays free: some terminals go on to the next line there.
fn frame(bars: &[Arc<Bar>], rows: usize, columns: usize, drawn: bool) -> String {
    let most = rows.saturating_sub(1).max(1);
    let lines: Vec<String> = bars.iter().take(most).map(|bar| bar.line(columns.saturating_sub(1))).collect();
    let clear = if drawn { CLEAR } else { "" };
    let up = if lines.len() > 1 { format!("\u{1b}[{}A", lines.len() - 1) } else { String::new() };
    let start = if lines.is_empty() { "" } else { "\r" };
    format!("{clear}{}{up}{start}", lines.join("\r\n"))
}

fn put(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_below_each_other_and_are_cleared_together() {
        let bars: Vec<Arc<Bar>> = ["a", "b", "c"].map(|what| Arc::new(Bar::new(what, "x", 0))).into();
        assert_eq!(frame(&bars, 24, 80, false), "a 0 x\r\nb 0 x\r\nc 0 x\u{1b}[2A\r");
        assert_eq!(frame(&bars[..1], 24, 80, true), "\r\u{1b}[Ja 0 x\r");
        assert_eq!(frame(&bars, 3, 80, true), "\r\u{1b}[Ja 0 x\r\nb 0 x\u{1b}[1A\r", "no more than the terminal holds");
        assert_eq!(frame(&[], 24, 80, true), "\r\u{1b}[J");
        assert_eq!(frame(&bars[..1], 24, 5, false), "a 0…\r", "the last column is free");
    }
}
