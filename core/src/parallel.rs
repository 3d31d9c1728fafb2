//! The one place that knows about threads.
//!
//! Work is cut into blocks whose size does not depend on the number of threads, and results come back in order, so a
//! result never depends on how many threads there were. Without the `parallel` feature (as in the browser) the same
//! blocks run one after another.

#[cfg(feature = "parallel")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
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

/// How often a thread that is kept awake looks for work in vain before it may sleep, some hundred microseconds. The bound also
/// lets it go on where it came to look in the midst of work that others wait for.
#[cfg(feature = "parallel")]
const PATIENCE: u32 = 4096;

/// Sets what it holds when it goes, also when something panics.
#[cfg(feature = "parallel")]
struct End(Arc<AtomicBool>);

#[cfg(feature = "parallel")]
impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs `f` while the pool's other threads wait for work awake. Where short sections follow each other, to wake a thread
/// takes about as long as one of them. Outside a pool it only runs `f`.
pub fn awake<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "parallel")]
    if let Some(own) = rayon::current_thread_index() {
        let end = End(Arc::default());
        let ended = Arc::clone(&end.0);
        rayon::spawn_broadcast(move |context| {
            let mut idle = 0;
            while context.index() != own && idle < PATIENCE && !ended.load(Ordering::Acquire) {
                match rayon::yield_now() {
                    Some(rayon::Yield::Executed) => idle = 0,
                    _ => idle += 1,
                }
                // Others may need the core.
                if idle % 64 == 63 { std::thread::yield_now() } else { std::hint::spin_loop() }
            }
        });
        return f();
    }
    f()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `f` returns in a pool of each size, and outside.
    fn in_pools<R: Send>(f: impl Fn() -> R + Sync) -> Vec<R> {
        let pools = [1, 2, 5].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("a pool"));
        pools.iter().map(|pool| pool.install(&f)).chain([f()]).collect()
    }

    #[test]
    fn awake_threads_do_the_same_work() {
        let sums = in_pools(|| {
            awake(|| {
                let mut sums = Vec::new();
                for section in 0..200u64 {
                    let mut items: Vec<u64> = (0..section % 23).collect();
                    for_each(items.iter_mut().collect(), |item| {
                        *item += awake(|| map(3, |k| k as u64 * section)).into_iter().sum::<u64>();
                    });
                    let (a, b) = join(|| items.iter().sum::<u64>(), || items.len());
                    sums.push(a + b as u64);
                }
                sums
            })
        });
        let expected = |section: u64| (0..section % 23).map(|item| item + 3 * section + 1).sum::<u64>();
        assert!(sums.iter().all(|sums| sums.len() == 200));
        assert!(sums.iter().all(|sums| sums.iter().zip(0..).all(|(sum, section)| *sum == expected(section))));
    }

    #[test]
    fn a_panic_lets_awake_threads_go() {
        for result in in_pools(|| std::panic::catch_unwind(|| awake(|| panic!("on purpose")))) {
            assert!(result.is_err());
        }
    }

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
