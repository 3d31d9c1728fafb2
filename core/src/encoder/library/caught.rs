//! Panics of the library as errors: it answers some files and texts with one.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether this thread's panics are caught, and so need no report.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`; if it panics, nothing is printed and its message comes back.
///
/// What `work` changed must not be used after an error.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(outer);
    done.map_err(|panic| format!("the tokenizers library failed: {}", message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("for no known reason");
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(caught(|| 5), Ok(5));
        let message = caught(|| -> u32 { panic!("number {}", 7) });
        assert_eq!(message, Err("the tokenizers library failed: number 7".to_owned()));
        assert!(!QUIET.get(), "the next panic is reported again");
        let nested = caught(|| caught(|| -> u32 { panic!("inner") }).is_err() && QUIET.get());
        assert_eq!(nested, Ok(true));
    }
}
