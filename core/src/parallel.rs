//! The one place that knows about threads.
//!
//! Work is cut into blocks whose size does not depend on the number of threads, and results come back in order, so a
//! result never depends on how many threads there were. Without the `parallel` feature (as in the browser) the same
//! blocks run one after another.

use std::sync::{Mutex, PoisonError};

/// `f(0..n)` collected in order.
pub fn map<R: Send>(n: usize, f: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        (0..n).into_par_iter().map(f).collect()
    }
    #[cfg(not(feature = "parallel"))]
    (0..n).map(f).collect()
}

/// `f` of every item, in their order.
pub fn map_into<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        items.into_par_iter().with_max_len(1).map(f).collect()
    }
    #[cfg(not(feature = "parallel"))]
    items.into_iter().map(f).collect()
}

/// [`map_into`] with memory that one item leaves to another; which one is open, so no result may depend on what it holds.
pub fn map_with<T: Send, M: Default + Send, R: Send>(
    items: Vec<T>,
    f: impl Fn(T, &mut M) -> R + Sync + Send,
) -> Vec<R> {
    let free = Mutex::new(Vec::<M>::new());
    let free = || free.lock().unwrap_or_else(PoisonError::into_inner);
    map_into(items, |item| {
        let taken = free().pop();
        let mut memory = taken.unwrap_or_default();
        let result = f(item, &mut memory);
        free().push(memory);
        result
    })
}

/// Calls `f(block number, block)` for consecutive blocks of `block` items; the last may be shorter.
pub fn for_blocks<T: Send>(items: &mut [T], block: usize, f: impl Fn(usize, &mut [T]) + Sync + Send) {
    assert!(block > 0, "blocks hold at least one item");
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        items.par_chunks_mut(block).enumerate().for_each(|(i, b)| f(i, b));
    }
    #[cfg(not(feature = "parallel"))]
    items.chunks_mut(block).enumerate().for_each(|(i, b)| f(i, b));
}

/// Calls `f` on every item; the order in which they run is open.
pub fn for_each<T: Send>(items: Vec<T>, f: impl Fn(T) + Sync + Send) {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        items.into_par_iter().with_max_len(1).for_each(f);
    }
    #[cfg(not(feature = "parallel"))]
    items.into_iter().for_each(f);
}

/// Runs both, at the same time where there are two threads.
pub fn join<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    #[cfg(feature = "parallel")]
    {
        rayon::join(a, b)
    }
    #[cfg(not(feature = "parallel"))]
    (a(), b())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_from_item_to_item_and_order_stays() {
        let got = map_with((0..1000).collect(), |item: usize, memory: &mut Vec<usize>| {
            memory.push(item);
            (item, memory.len())
        });
        assert!(got.iter().enumerate().all(|(i, (item, _))| i == *item));
        assert!(got.iter().any(|(_, held)| *held > 1), "no memory was used twice");
        assert!(map_with(Vec::<u8>::new(), |item, (): &mut ()| item).is_empty());
    }
}
