//! Large tables on large pages, where the system offers them: a training step touches rows all over three tables, and with
//! small pages nearly each of them costs a look-up of its address.

/// Asks for large pages under `table`, both for what has been written and for what has yet to be. A hint: the numbers
/// stay, and where the system declines, so does everything else.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "advice on memory has no safe form")]
pub fn advise(table: &mut [f32]) {
    /// What fits no large page is left alone.
    const LEAST: usize = 4 << 20;
    /// Advice is given for whole pages; no system has larger ones of the ordinary kind.
    const PAGE: usize = 64 << 10;
    let (start, len) = (table.as_mut_ptr() as usize, size_of_val(table));
    let first = start.next_multiple_of(PAGE);
    let len = (start + len).saturating_sub(first) / PAGE * PAGE;
    if len < LEAST {
        return;
    }
    for advice in [libc::MADV_HUGEPAGE, libc::MADV_COLLAPSE] {
        // SAFETY: the range lies within `table`; neither advice changes what is stored there.
        unsafe { libc::madvise(first as *mut libc::c_void, len, advice) };
    }
}

/// No other system takes such advice.
#[cfg(not(target_os = "linux"))]
pub fn advise(_table: &mut [f32]) {}
