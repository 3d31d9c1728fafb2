//! Large tables on large pages, where the system offers them: training, scoring and transformers touch rows all over tables
//! of many megabytes, and with small pages nearly each of them costs a look-up of its address. The command's own allocator;
//! whoever calls this library from elsewhere has theirs.

use std::alloc::{GlobalAlloc, Layout, System};

/// Allocates as the system does, and asks for large pages under what is large before it is written; of memory that grows,
/// the old part stays as it is.
pub struct LargePages;

/// Bytes; below it a large page or two would be saved, and most of another wasted.
const LEAST: usize = 4 << 20;

#[expect(unsafe_code, reason = "an allocator has no safe form")]
// SAFETY: all memory is the system's, asked for and given back as it is here; advice changes nothing that is stored.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the system's.
        advised(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        advised(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) };
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        advised(unsafe { System.realloc(start, layout, size) }, size)
    }
}

/// Asks for large pages under `len` bytes from `start`. A hint: where the system declines, all else stays.
#[cfg(target_os = "linux")]
fn advised(start: *mut u8, len: usize) -> *mut u8 {
    /// The system wants whole pages, and declines where its own are larger. The first one holds the system's notes on
    /// this memory as well: a mapping that is advised as a whole stays one, as a rule, and can grow in place.
    const PAGE: usize = 4 << 10;
    if len >= LEAST && !start.is_null() {
        let first = start.addr() / PAGE * PAGE;
        let len = (start.addr() + len).next_multiple_of(PAGE) - first;
        #[expect(unsafe_code, reason = "advice on memory has no safe form")]
        // SAFETY: this advice changes nothing that is stored, whatever lies on those pages.
        unsafe {
            libc::madvise(start.with_addr(first).cast(), len, libc::MADV_HUGEPAGE)
        };
    }
    start
}

/// No other system takes such advice.
#[cfg(not(target_os = "linux"))]
fn advised(start: *mut u8, _len: usize) -> *mut u8 {
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "an allocator has no safe form")]
    fn what_is_stored_stays_whatever_the_size() {
        for align in [1, 64, 4096] {
            let mut layout = Layout::from_size_align(3 << 20, align).expect("a layout");
            // SAFETY: the layout has a size, and no byte beyond it is touched.
            unsafe {
                let mut start = LargePages.alloc_zeroed(layout);
                let mut written = 0;
                for size in [5 << 20, LEAST, (9 << 20) + 17, LEAST - 1, 3 << 20] {
                    start = LargePages.realloc(start, layout, size);
                    assert!(!start.is_null() && start.addr().is_multiple_of(align));
                    layout = Layout::from_size_align(size, align).expect("a layout");
                    let bytes = std::slice::from_raw_parts_mut(start, size);
                    written = size.min(written);
                    assert!(bytes[..written].iter().zip(0u32..).all(|(byte, i)| *byte == (i % 251) as u8), "{size}");
                    bytes.iter_mut().zip(0u32..).for_each(|(byte, i)| *byte = (i % 251) as u8);
                    written = size;
                }
                LargePages.dealloc(start, layout);
                let layout = Layout::from_size_align(6 << 20, align).expect("a layout");
                let start = LargePages.alloc_zeroed(layout);
                assert!(start.addr().is_multiple_of(align));
                assert!(std::slice::from_raw_parts(start, layout.size()).iter().all(|byte| *byte == 0));
                LargePages.dealloc(start, layout);
            }
        }
    }
}
