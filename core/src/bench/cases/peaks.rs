//! The peaks.

use super::super::case::{Case, Size, Start};
use super::model::work;
use super::{Draw, u};
use crate::kernels;
use Start::{Numbers, Unwritten};

pub(super) fn cases(name: &str) -> Vec<fn(Size) -> Case> {
    match name {
        "peak_copy" => vec![peak_copy],
        "peak_fma" => vec![peak_fma],
        _ => Vec::new(),
    }
}

fn peak_copy(size: Size) -> Case {
    let n = match size {
        Size::Check => 1000,
        Size::Quick => 1 << 20,
        // 128 MiB each way: beyond any cache, within what every device binds.
        Size::Full => 1 << 23,
    };
    let buffers = vec![Numbers(Draw::new("peak_copy").numbers(4 * n)), Unwritten(4 * n)];
    let label = format!("{} MiB copied", (16 * n) >> 20);
    Case::new(kernels::peak_copy::Sizes { n: u(n) }, label, work(0, 8 * n), buffers).host(|buffers| {
        let [from, to] = buffers else { return };
        kernels::peak_copy::fast(from, to);
    })
}

fn peak_fma(size: Size) -> Case {
    use kernels::peak_fma::{NUMBERS, Sizes, TIMES};
    let (n, rounds) = match size {
        Size::Check => (1000, 10),
        Size::Quick => (4096, 256),
        Size::Full => (1 << 20, 1024),
    };
    let sizes = Sizes { n: u(n), rounds, factor: 0.999, step: 0.001 };
    let flops = 2 * n * (rounds * TIMES * NUMBERS) as usize;
    Case::new(sizes, format!("{n} invocations, {rounds} rounds"), work(flops, n), vec![Unwritten(n)])
}
