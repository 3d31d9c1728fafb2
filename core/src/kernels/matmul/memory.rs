//! Where right-hand sides lie, alone or many in one piece.

use super::Line;
use std::sync::Arc;

/// Lines of the cache that hold one right-hand side.
#[derive(Clone, Debug)]
pub(super) enum Memory {
    Own(Vec<Line>),
    /// From line `first` on; others have theirs before and behind it.
    Shared {
        lines: Arc<Vec<Line>>,
        first: usize,
    },
}

impl Default for Memory {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl Memory {
    /// Its lines, and what lies behind them in the same piece.
    pub(super) fn tail(&self) -> &[Line] {
        match self {
            Self::Own(lines) => lines,
            Self::Shared { lines, first } => &lines[*first..],
        }
    }

    /// Lines of its own, `len` of them, to be written anew; what they hold is open.
    pub(super) fn anew(&mut self, len: usize) -> &mut [Line] {
        if let Self::Shared { .. } = self {
            *self = Self::default();
        }
        let lines = self.own();
        lines.resize(len, Line::ZERO);
        lines
    }

    /// Its lines, to be written.
    ///
    /// # Panics
    /// When they are shared.
    pub(super) fn own(&mut self) -> &mut Vec<Line> {
        let Self::Own(lines) = self else { unreachable!("others have theirs beside it") };
        lines
    }

    /// Moves the first lines of each, as many as are said, into one piece, in this order.
    pub(super) fn put_together<'a>(all: impl IntoIterator<Item = (&'a mut Self, usize)>) {
        let mut all: Vec<(&mut Self, usize)> = all.into_iter().collect();
        let mut together = Vec::with_capacity(all.iter().map(|(_, len)| len).sum());
        for (memory, len) in &mut all {
            let first = together.len();
            together.extend_from_slice(&memory.tail()[..*len]);
            **memory = Self::Shared { lines: Arc::default(), first };
        }
        let together = Arc::new(together);
        for (memory, _) in all {
            if let Self::Shared { lines, .. } = memory {
                *lines = Arc::clone(&together);
            }
        }
    }
}
