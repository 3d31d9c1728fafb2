//! The problems of every kernel, with their work.

mod model;
mod peaks;
mod pooling;
mod products;
mod search;
mod transformer;

use super::case::{Case, Size};
use crate::rng::Stream;

/// What makes the problems of kernel `name` at `size`, one by one: two of them might not fit into memory. None for a kernel
/// that has no problems yet.
#[must_use]
pub fn cases(name: &str, size: Size) -> Vec<fn(Size) -> Case> {
    let tables = [
        model::cases(name),
        pooling::cases(name),
        peaks::cases(name),
        products::cases(name, size),
        search::cases(name),
        transformer::cases(name),
    ];
    tables.into_iter().flatten().collect()
}

/// Numbers that are drawn before they repeat: a prime number of them, so that rows differ.
const DRAWN: usize = 65_537;

/// Random inputs; large ones repeat themselves.
struct Draw(Stream);

impl Draw {
    fn new(name: &str) -> Self {
        Self(Stream::new(1, "bench", name.len() as u64))
    }

    /// From −1 to 1.
    fn numbers(&mut self, n: usize) -> Vec<f32> {
        let drawn: Vec<f32> = (0..n.min(DRAWN)).map(|_| self.0.symmetric(1.0)).collect();
        drawn.iter().copied().cycle().take(n).collect()
    }

    /// From 0.1 to 1.1.
    fn positive(&mut self, n: usize) -> Vec<f32> {
        self.numbers(n).iter().map(|x| 0.5 * x + 0.6).collect()
    }

    fn below(&mut self, n: usize, bound: usize) -> Vec<u32> {
        (0..n).map(|_| self.0.below(bound) as u32).collect()
    }
}

fn words(indices: &[u32]) -> Vec<f32> {
    bytemuck::cast_slice(indices).to_vec()
}

/// A size as kernels count: those of cases are small.
fn u(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::CpuBackend;
    use crate::kernels::KERNELS;

    fn wait<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("the CPU answers at once"),
        }
    }

    #[test]
    fn every_kernel_has_cases_with_work_of_the_right_size() {
        for kernel in KERNELS {
            for size in [Size::Check, Size::Quick] {
                let made = cases(kernel.name, size);
                assert!(!made.is_empty(), "{}: no case; add one to `bench::cases`", kernel.name);
                for case in made {
                    let case = case(size);
                    assert_eq!(case.kernel, kernel.name);
                    assert!(case.groups > 0 && case.work.bytes > 0, "{}: {:?}", kernel.name, case.work);
                    // No kernel touches many more or less numbers than there are in its buffers, save those that gather
                    // rows of a table, again and again, and `top_k`, most of whose lists stay empty.
                    let held: u64 = case.buffers.iter().map(|b| 4 * b.len() as u64).sum();
                    let gathers =
                        kernel.name.starts_with("pool") || ["adamw_rows", "danger", "top_k"].contains(&kernel.name);
                    assert!(gathers || case.work.bytes <= 2 * held, "{}: {:?}, {held} bytes", kernel.name, case.work);
                    assert!(gathers || case.work.bytes >= held / 4, "{}: {:?}, {held} bytes", kernel.name, case.work);
                }
            }
        }
    }

    #[test]
    fn forms_on_the_cpu_do_what_the_twins_do() {
        let mut forms = 0;
        for kernel in KERNELS {
            for case in cases(kernel.name, Size::Check) {
                let case = case(Size::Check);
                if case.has_host_form() {
                    forms += 1;
                    wait(case.check_host()).expect("fits").unwrap_or_else(|e| panic!("{}: {e}", kernel.name));
                }
                wait(case.check(&CpuBackend)).expect("fits").unwrap_or_else(|e| panic!("{}: {e}", kernel.name));
            }
        }
        assert!(forms >= 10, "{forms} kernels have a form on the CPU");
    }

    #[test]
    fn a_wrong_form_is_noticed() {
        let case = cases("add", Size::Check)[0](Size::Check).host(|buffers| buffers[1][0] += 1.0);
        let why = wait(case.check_host()).expect("fits").expect_err("it is wrong");
        assert!(why.starts_with("output 1 is "), "{why}");
    }
}
