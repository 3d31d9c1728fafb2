//! Products on a processor's matrix tiles (AMX), as close as those in `f32`.
//!
//! The tiles multiply bfloat16, which has 8 bits of mantissa, and add in `f32`. A number of 24 bits is the sum of three such
//! parts. Of the nine products of two numbers' parts the six largest are added; what is left out is below 2^-21 of the whole.
//! A running sum is rounded six times for 32 products, not 32 times as that of fused steps, so that long sums are closer to
//! the truth than theirs, and short ones no worse than a few roundings (`tests`). What is below 2^-126 counts as 0, and an
//! infinity becomes NaN.
//!
//! The instructions: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, TDPBF16PS; tiles are 16 rows of
//! 64 bytes.

use super::memory::Memory;
use super::{Line, Onto, View, settled, span_of};
use crate::kernels::simd::widest;
use std::ops::Range;

/// Rows of a tile, and numbers in a row of the output's tiles.
const SIDE: usize = 16;
/// Parts of numbers in a row of the operands' tiles: products summed at once.
const DEPTH: usize = 32;
/// Rows or columns of the output that are computed together: of two tiles.
const BLOCK: usize = 2 * SIDE;
/// Parts of a number.
const PARTS: usize = 3;
/// Lines of the cache that hold the parts of [`BLOCK`] × [`DEPTH`] numbers.
const STEP: usize = PARTS * BLOCK;
/// Lines that are fetched ahead with each step: a panel while sixteen blocks of rows go through the one before.
const FETCHED: usize = STEP / 16;
/// Products summed before the output is written, at most: a panel of right-hand sides then stays next to the core.
const SPAN: usize = 128;

/// A row of a tile.
type Parts = [u16; DEPTH];

/// The three parts of each number. They add up to it, but for what is below 2^-133; those of an infinity or a NaN are not
/// finite either.
#[inline(always)]
fn split(mut rest: [f32; DEPTH], mut write: impl FnMut(usize, Parts)) {
    for part in 0..PARTS {
        let mut high = [0; DEPTH];
        for i in 0..DEPTH {
            let bits = rest[i].to_bits();
            high[i] = (bits >> 16) as u16;
            rest[i] -= f32::from_bits(bits & 0xffff_0000);
        }
        write(part, high);
    }
}

/// `0..depth` in spans of whole steps, but for the last.
fn spans(depth: usize) -> impl Iterator<Item = Range<usize>> {
    let length = span_of(depth, SPAN).next_multiple_of(DEPTH);
    (0..depth).step_by(length).map(move |first| first..depth.min(first + length))
}

/// Which products, and which rows or columns of the output, each step is about, in the order in which steps lie.
fn steps(depth: usize, across: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    spans(depth).flat_map(move |span| {
        (0..across).step_by(BLOCK).flat_map(move |first| {
            let end = span.end;
            span.clone().step_by(DEPTH).map(move |k| (k..end.min(k + DEPTH), first..across.min(first + BLOCK)))
        })
    })
}

/// Lines of all steps.
fn lines(depth: usize, across: usize) -> usize {
    across.div_ceil(BLOCK) * depth.div_ceil(DEPTH) * STEP
}

/// A part as a number of 32 bits.
fn widened(part: u16) -> f32 {
    f32::from_bits(u32::from(part) << 16)
}

/// Left-hand sides in parts.
#[derive(Default)]
pub struct Split {
    /// Spans of columns; in each, blocks of rows; in each, steps; in each, parts; in each, row after row. Missing
    /// columns are 0; what stands in missing rows does not matter.
    lines: Vec<Line>,
    rows: usize,
    depth: usize,
}

impl Split {
    /// Holds `rows`, whose numbers lie side by side, in place of what was there; the memory is used again.
    pub(super) fn fill(&mut self, rows: View<'_>) {
        (self.rows, self.depth) = (rows.rows, rows.cols);
        self.lines.resize(lines(rows.cols, rows.rows), Line::ZERO);
        for (step, (depth, block)) in self.lines.chunks_exact_mut(STEP).zip(steps(rows.cols, rows.rows)) {
            widest!(split_step(step, rows, block.clone(), depth.clone()));
        }
    }
}

/// Writes one step of a block of rows.
#[inline(always)]
fn split_step(step: &mut [Line], rows: View<'_>, block: Range<usize>, depth: Range<usize>) {
    let out: &mut [Parts] = bytemuck::cast_slice_mut(step);
    for (number, row) in block.enumerate() {
        let row = &rows.data[row * rows.row_stride..][depth.start..depth.end];
        let numbers = row.first_chunk().copied().unwrap_or_else(|| {
            let mut padded = [0.0; DEPTH];
            padded[..row.len()].copy_from_slice(row);
            padded
        });
        split(numbers, |part, parts| out[part * BLOCK + number] = parts);
    }
}

/// A right-hand side in parts.
pub(super) struct SplitRhs {
    /// Spans of rows; in each, panels of [`BLOCK`] columns; in each, steps; in each, parts; in each, two tiles of columns; in
    /// each, pairs of rows. What is missing is 0.
    data: Memory,
    rows: usize,
    cols: usize,
}

impl SplitRhs {
    pub(super) fn new(rhs: View<'_>) -> Self {
        let (rows, cols) = (rhs.rows, rhs.cols);
        let mut this = Self { data: Memory::default(), rows, cols };
        let memory = this.data.anew(lines(rows, cols));
        for (step, (depth, panel)) in memory.chunks_exact_mut(STEP).zip(steps(rows, cols)) {
            let out: &mut [Parts] = bytemuck::cast_slice_mut(step);
            for line in 0..BLOCK {
                let (pair, tile) = (depth.start + 2 * (line % SIDE), panel.start + line / SIDE * SIDE);
                let number = |i: usize| {
                    let (row, col) = (pair + i % 2, tile + i / 2);
                    if row < rows && col < cols { rhs.at(row, col) } else { 0.0 }
                };
                split(std::array::from_fn(number), |part, parts| out[part * BLOCK + line] = parts);
            }
        }
        this
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn cols(&self) -> usize {
        self.cols
    }

    /// Where it lies, and how many lines of it.
    pub(super) fn memory(&mut self) -> (&mut Memory, usize) {
        (&mut self.data, lines(self.rows, self.cols))
    }

    /// What was split: `[rows, cols]`, row-major.
    pub(super) fn unpacked(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.rows * self.cols];
        for (step, (depth, panel)) in self.data.tail().chunks_exact(STEP).zip(steps(self.rows, self.cols)) {
            let step: &[Parts] = bytemuck::cast_slice(step);
            for row in depth.clone() {
                for col in panel.clone() {
                    let line = (col - panel.start) / SIDE * SIDE + (row - depth.start) / 2;
                    let place = 2 * ((col - panel.start) % SIDE) + (row - depth.start) % 2;
                    let part = |part: usize| widened(step[part * BLOCK + line][place]);
                    out[row * self.cols + col] = part(0) + (part(1) + part(2));
                }
            }
        }
        out
    }
}

/// `out = onto + lhs · rhs`, where there are tiles.
///
/// # Panics
/// Where there are none ([`available`]).
pub(super) fn product(out: &mut [f32], lhs: &Split, rhs: &SplitRhs, onto: Onto<'_>) {
    assert!(available(), "a product on tiles that are not there");
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        let tiles = hardware::Tiles::new();
        product_by(out, lhs, rhs, onto, |block| tiles.run(block));
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    product_by(out, lhs, rhs, onto, plain);
}

/// [`BLOCK`] × [`BLOCK`] numbers of the output, as far as one span goes.
struct Block<'a> {
    lhs: &'a [Line],
    rhs: &'a [Line],
    start: Start<'a>,
    /// From its first number on.
    out: &'a mut [f32],
    /// From one of its rows to the next.
    stride: usize,
    /// From its first number to that of the block that is computed next; 0 where there is none.
    #[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), expect(dead_code, reason = "a hint to tiles"))]
    next: usize,
    /// What is to be brought near the core on the way.
    #[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), expect(dead_code, reason = "a hint to tiles"))]
    soon: &'a [Line],
}

/// What a block is added to.
#[derive(Clone, Copy)]
enum Start<'a> {
    /// Each of its rows to this one.
    Row(&'a [f32; BLOCK]),
    /// What is there.
    Old,
}

fn product_by(out: &mut [f32], lhs: &Split, rhs: &SplitRhs, mut onto: Onto<'_>, run: impl Fn(Block<'_>)) {
    let (rows, cols) = (lhs.rows, rhs.cols);
    assert!(lhs.depth == rhs.rows && out.len() == rows * cols, "the shapes do not fit");
    if settled(out, (rhs.rows, cols), onto) {
        return;
    }
    let depth = lhs.depth;
    let (mut lhs, mut rhs) = (lhs.lines.as_slice(), rhs.data.tail());
    for span in spans(depth) {
        let len = span.len().div_ceil(DEPTH) * STEP;
        let (own, later) = lhs.split_at(rows.div_ceil(BLOCK) * len);
        lhs = later;
        for column in (0..cols).step_by(BLOCK) {
            let (panel, later) = rhs.split_at(len);
            rhs = later;
            let width = BLOCK.min(cols - column);
            let mut row = [0.0; BLOCK];
            if let Onto::Row(all) = onto {
                row[..width].copy_from_slice(&all[column..][..width]);
            }
            let start = if let Onto::Old = onto { Start::Old } else { Start::Row(&row) };
            for (number, block) in own.chunks_exact(len).enumerate() {
                // Meanwhile the next panel is fetched.
                let soon = later.get(number * len / STEP * FETCHED..len).unwrap_or_default();
                let height = BLOCK.min(rows - number * BLOCK);
                let out = &mut out[number * BLOCK * cols + column..];
                if (height, width) == (BLOCK, BLOCK) {
                    let next = if number + 1 < rows.div_ceil(BLOCK) { BLOCK * cols } else { 0 };
                    run(Block { lhs: block, rhs: panel, start, out, stride: cols, next, soon });
                } else {
                    let mut whole = [0.0; BLOCK * BLOCK];
                    if let Start::Old = start {
                        for (whole, out) in whole.chunks_exact_mut(BLOCK).zip(out.chunks(cols)).take(height) {
                            whole[..width].copy_from_slice(&out[..width]);
                        }
                    }
                    run(Block { lhs: block, rhs: panel, start, out: &mut whole, stride: BLOCK, next: 0, soon });
                    for (whole, out) in whole.chunks_exact(BLOCK).zip(out.chunks_mut(cols)).take(height) {
                        out[..width].copy_from_slice(&whole[..width]);
                    }
                }
            }
        }
        onto = Onto::Old;
    }
}

/// Which parts are multiplied, left and right, in this order: neighbours have one in common, and the largest come last.
/// The instructions in [`hardware`] say the same.
#[cfg(any(test, not(all(target_arch = "x86_64", target_os = "linux"))))]
const ORDER: [(usize, usize); 6] = [(0, 2), (0, 1), (1, 1), (1, 0), (2, 0), (0, 0)];

/// What the tiles do, number by number: products of even and of odd places are summed apart, then both are added.
#[cfg(any(test, not(all(target_arch = "x86_64", target_os = "linux"))))]
fn plain(block: Block<'_>) {
    let part = |step: &[Line], part: usize, line: usize, i: usize| {
        let parts: &[Parts] = bytemuck::cast_slice(step);
        widened(parts[part * BLOCK + line][i])
    };
    for row in 0..BLOCK {
        for col in 0..BLOCK {
            let out = &mut block.out[row * block.stride + col];
            let mut sum = if let Start::Row(row) = block.start { row[col] } else { *out };
            for (lhs, rhs) in block.lhs.chunks_exact(STEP).zip(block.rhs.chunks_exact(STEP)) {
                for (left, right) in ORDER {
                    let mut sums = [0.0; 2];
                    for k in 0..DEPTH {
                        let (tile, place) = (col / SIDE * SIDE, 2 * (col % SIDE) + k % 2);
                        sums[k % 2] += part(lhs, left, row, k) * part(rhs, right, tile + k / 2, place);
                    }
                    sum += sums[0] + sums[1];
                }
            }
            *out = sum;
        }
    }
}

/// Whether this processor has the tiles, and the system lets this process use them.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[must_use]
pub fn available() -> bool {
    hardware::available()
}

/// None are known here.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[must_use]
pub fn available() -> bool {
    false
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod hardware {
    use super::{BLOCK, Block, DEPTH, FETCHED, Line, SIDE, SPAN, STEP, Start};
    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;
    use std::marker::PhantomData;
    use std::sync::OnceLock;

    /// `ARCH_REQ_XCOMP_PERM` of arch_prctl(2), and the state of tiles.
    const ASK_FOR_STATE: libc::c_int = 0x1023;
    const TILE_DATA: libc::c_ulong = 18;

    /// Asks once for the whole process: the system has to make room for what tiles hold.
    pub(super) fn available() -> bool {
        static ANSWER: OnceLock<bool> = OnceLock::new();
        *ANSWER.get_or_init(|| {
            #[expect(unsafe_code, reason = "the function was unsafe in Rust 1.91")]
            #[allow(unused_unsafe, reason = "and is safe now")]
            // SAFETY: every x86-64 has the instruction.
            let leaf = |number| unsafe { __cpuid_count(number, 0) };
            // AMX-BF16 and AMX-TILE.
            let needed = 1 << 22 | 1 << 24;
            let known = leaf(0).eax >= 7 && leaf(7).edx & needed == needed;
            #[expect(unsafe_code, reason = "the library has no safe form of it")]
            // SAFETY: this call takes two numbers; it gives leave to use more of the processor, and touches no memory.
            let answer = || unsafe { libc::syscall(libc::SYS_arch_prctl, ASK_FOR_STATE, TILE_DATA) };
            known && answer() == 0
        })
    }

    /// Which tiles there are, and how large.
    #[repr(C, align(64))]
    struct Config {
        palette: u8,
        start: u8,
        reserved: [u8; 14],
        bytes_a_row: [u16; 16],
        rows: [u8; 16],
    }

    static CONFIG: Config = {
        let (mut bytes_a_row, mut rows) = ([0; 16], [0; 16]);
        let mut tile = 0;
        while tile < 8 {
            (bytes_a_row[tile], rows[tile]) = (64, SIDE as u8);
            tile += 1;
        }
        Config { palette: 1, start: 0, reserved: [0; 14], bytes_a_row, rows }
    };

    /// Two tiles of a part of the left-hand side: those of its rows.
    macro_rules! left {
        ($part:literal) => {
            concat!(
                "tileloadd tmm4, [{lhs} + {line} + 2048 * ",
                $part,
                "]\n",
                "tileloadd tmm5, [{lhs} + {line} + 2048 * ",
                $part,
                " + 1024]",
            )
        };
    }

    /// Two tiles of a part of the right-hand side: those of its columns.
    macro_rules! right {
        ($part:literal) => {
            concat!(
                "tileloadd tmm6, [{rhs} + {line} + 2048 * ",
                $part,
                "]\n",
                "tileloadd tmm7, [{rhs} + {line} + 2048 * ",
                $part,
                " + 1024]",
            )
        };
    }

    /// Adds their products to the output's four.
    macro_rules! multiply {
        () => {
            "tdpbf16ps tmm0, tmm4, tmm6\ntdpbf16ps tmm1, tmm4, tmm7\ntdpbf16ps tmm2, tmm5, tmm6\ntdpbf16ps tmm3, tmm5, tmm7"
        };
    }

    const _: () = assert!(8 * SPAN / DEPTH == BLOCK && FETCHED == 6, "what a step fetches is spelled out in `run`");

    /// A line of what is needed soon. A hint, which nothing comes of where there is no memory.
    macro_rules! fetch {
        ($line:literal) => {
            concat!("prefetcht1 [{soon} + 64 * ", $line, "]")
        };
    }

    /// The same for the two lines of a row of the output's next block, which will be written. Eight rows a step make a block
    /// in a span.
    macro_rules! fetch_output {
        () => {
            "prefetchw [{next}]\nprefetchw [{next} + 64]\nadd {next}, {stride}"
        };
    }

    /// This thread's tiles, while it uses them.
    pub(super) struct Tiles(PhantomData<*const ()>);

    impl Tiles {
        /// # Panics
        /// When there are none.
        pub(super) fn new() -> Self {
            assert!(available(), "no tiles");
            #[expect(unsafe_code, reason = "there is no stable function for it")]
            // SAFETY: the processor has the instruction, and the layout is the one that it reads.
            unsafe {
                asm!(
                    "ldtilecfg [{}]",
                    in(reg) &raw const CONFIG,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack, readonly),
                );
            }
            Self(PhantomData)
        }

        /// Two by two tiles of the output stay, those of the operands come and go.
        pub(super) fn run(&self, block: Block<'_>) {
            let Block { lhs, rhs, start, out, stride, next, soon } = block;
            assert!(lhs.len() == rhs.len() && !lhs.is_empty() && lhs.len().is_multiple_of(STEP), "no whole steps");
            assert!(stride >= BLOCK && out.len() >= (BLOCK - 1) * stride + BLOCK, "a block reaches past the output");
            let stride = stride * size_of::<f32>();
            let out = out.as_mut_ptr();
            let (begin, begin_stride) = match start {
                // The same row again and again.
                Start::Row(row) => (row.as_ptr(), 0),
                Start::Old => (out.cast_const(), stride),
            };
            #[expect(unsafe_code, reason = "there are no stable functions for it")]
            // SAFETY: the tiles are configured while `self` is there. All lines of `lhs` and `rhs`, as many as there are
            // steps, and all rows of the block were found to be there; rows that are written belong to `out` alone.
            unsafe {
                asm!(
                    "tileloadd tmm0, [{begin} + {begin_stride}]",
                    "tileloadd tmm1, [{begin} + {begin_stride} + 64]",
                    "tileloadd tmm2, [{below} + {begin_stride}]",
                    "tileloadd tmm3, [{below} + {begin_stride} + 64]",
                    "2:",
                    left!(0), right!(2), multiply!(), fetch!(0), fetch_output!(), right!(1), multiply!(), fetch!(1), fetch_output!(),
                    left!(1), multiply!(), fetch!(2), fetch_output!(), fetch_output!(), right!(0), multiply!(), fetch!(3), fetch_output!(),
                    left!(2), multiply!(), fetch!(4), fetch_output!(), fetch_output!(), left!(0), multiply!(), fetch!(5), fetch_output!(),
                    "add {soon}, {fetched}",
                    "add {lhs}, {step}",
                    "add {rhs}, {step}",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{out} + {stride}], tmm0",
                    "tilestored [{out} + {stride} + 64], tmm1",
                    "tilestored [{out_below} + {stride}], tmm2",
                    "tilestored [{out_below} + {stride} + 64], tmm3",
                    begin = in(reg) begin,
                    below = in(reg) begin.byte_add(begin_stride * SIDE),
                    begin_stride = in(reg) begin_stride,
                    lhs = inout(reg) lhs.as_ptr() => _,
                    rhs = inout(reg) rhs.as_ptr() => _,
                    soon = inout(reg) soon.as_ptr() => _,
                    next = inout(reg) out.wrapping_add(next) => _,
                    fetched = const FETCHED * size_of::<Line>(),
                    line = in(reg) size_of::<Line>(),
                    steps = inout(reg) lhs.len() / STEP => _,
                    step = const STEP * size_of::<Line>(),
                    out = in(reg) out,
                    out_below = in(reg) out.byte_add(SIDE * stride),
                    stride = in(reg) stride,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    }

    impl Drop for Tiles {
        fn drop(&mut self) {
            #[expect(unsafe_code, reason = "there is no stable function for it")]
            // SAFETY: the processor has the instruction; nobody else on this thread has tiles.
            unsafe {
                asm!(
                    "tilerelease",
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack, nomem),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;
    use crate::rng::Stream;

    /// Sizes at and around those of tiles, blocks and spans.
    const SIZES: [(usize, usize, usize); 12] = [
        (0, 3, 2),
        (3, 0, 2),
        (2, 3, 0),
        (1, 1, 1),
        (16, 16, 2),
        (17, 15, 33),
        (32, 32, 32),
        (33, 31, 31),
        (64, 96, 384),
        (31, 33, 385),
        (40, 70, 800),
        (100, 40, 1200),
    ];

    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn tiles_are_here() -> bool {
        if !available() {
            eprintln!("skipped: this processor has no matrix tiles, or the system keeps them");
        }
        available()
    }

    fn each_engine(name: &str, run: impl Fn(&mut [f32], &Split, &SplitRhs, Onto<'_>), seed: u64) {
        let mut stream = Stream::new(1, "tiles", seed);
        let mut split = Split::default();
        for (m, n, k) in SIZES {
            let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<f32>>();
            let (a, b, row, old) = (random(m * k), random(k * n), random(n), random(m * n));
            let (lhs, rhs) = (View::new(&a, m, k), View::new(&b, n, k).t());
            split.fill(lhs);
            let rhs_split = SplitRhs::new(rhs);
            for onto in [Onto::Nothing, Onto::Row(&row), Onto::Old] {
                let mut fast = if let Onto::Old = onto { old.clone() } else { vec![f32::NAN; m * n] };
                run(&mut fast, &split, &rhs_split, onto);
                let mut slow = vec![f32::NAN; m * n];
                reference(&mut slow, lhs, rhs, if let Onto::Row(row) = onto { Some(row) } else { None });
                for (i, x) in fast.iter().enumerate() {
                    let want = slow[i] + if let Onto::Old = onto { old[i] } else { 0.0 };
                    assert!((x - want).abs() <= 4e-5, "{name}, [{m}, {n}, {k}] at {i}: {x} and {want}");
                }
            }
        }
    }

    #[test]
    fn parts_agree_with_the_reference_on_every_size() {
        each_engine("plain", |out, lhs, rhs, onto| product_by(out, lhs, rhs, onto, plain), 0);
    }

    #[test]
    fn tiles_agree_with_the_reference_on_every_size() {
        if tiles_are_here() {
            each_engine("tiles", product, 1);
        }
    }

    #[test]
    fn long_sums_are_closer_than_fused_ones_and_short_ones_as_close_as_a_few_roundings() {
        let mut stream = Stream::new(1, "tiles", 2);
        // Root mean squares of errors, as parts of those of fused steps.
        for (k, shift, most) in [(1, 0.0, 4.0), (32, 0.0, 1.2), (64, 0.0, 1.0), (384, 0.0, 0.6), (384, 1.0, 0.6)] {
            let (m, n) = (32, 64);
            let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0) + shift).collect::<Vec<f32>>();
            let (a, b) = (random(m * k), random(k * n));
            let mut split = Split::default();
            split.fill(View::new(&a, m, k));
            let (rhs, mut out) = (SplitRhs::new(View::new(&b, k, n)), vec![f32::NAN; m * n]);
            product_by(&mut out, &split, &rhs, Onto::Nothing, plain);
            if available() {
                let mut by_tiles = vec![f32::NAN; m * n];
                product(&mut by_tiles, &split, &rhs, Onto::Nothing);
                // The manual says in which order the sums are made.
                assert!(by_tiles == out, "the tiles do not do what `plain` says");
            }
            let (mut squares, mut fused_squares) = (0.0, 0.0);
            for (i, x) in out.iter().enumerate() {
                let terms = || (0..k).map(|row| (a[i / n * k + row], b[row * n + i % n]));
                let exact: f64 = terms().map(|(a, b)| f64::from(a) * f64::from(b)).sum();
                let fused = terms().fold(0f32, |sum, (a, b)| a.mul_add(b, sum));
                squares += (f64::from(*x) - exact).powi(2);
                fused_squares += (f64::from(fused) - exact).powi(2);
            }
            let ratio = f64::sqrt(squares / fused_squares);
            assert!(ratio <= most, "sums of {k} products plus {shift}: {ratio}");
        }
    }

    #[test]
    fn unpacking_gives_back_every_number() {
        let mut stream = Stream::new(1, "tiles", 3);
        for (k, n) in [(0, 3), (3, 0), (1, 1), (33, 31), (500, 70)] {
            let mut b: Vec<f32> = (0..k * n).map(|i| stream.symmetric(1.0) * 10f32.powi(i as i32 % 70 - 40)).collect();
            b.iter_mut().zip([f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -0.0]).for_each(|(x, odd)| *x = odd);
            for (i, (x, y)) in SplitRhs::new(View::new(&b, k, n)).unpacked().into_iter().zip(&b).enumerate() {
                assert!(x == *y || (x - y).abs() < 2f32.powi(-133), "[{k}, {n}] at {i}: {x} and {y}");
            }
        }
    }

    /// What every engine at hand makes of `lhs · rhs`.
    fn products(lhs: &Split, rhs: &SplitRhs) -> Vec<Vec<f32>> {
        let mut all = vec![vec![f32::NAN; lhs.rows * rhs.cols]; 1 + usize::from(tiles_are_here())];
        product_by(&mut all[0], lhs, rhs, Onto::Nothing, plain);
        if let Some(out) = all.get_mut(1) {
            product(out, lhs, rhs, Onto::Nothing);
        }
        all
    }

    #[test]
    fn what_is_not_finite_stays_so_and_in_its_row() {
        let odd = [0x7f80_0001, 0x7fff_ffff, 0xffc0_0000].map(f32::from_bits);
        let (n, k) = (5, 40);
        for odd in odd.into_iter().chain([f32::INFINITY, f32::NEG_INFINITY]) {
            let mut a = vec![0.5; 3 * k];
            a[k + 33] = odd;
            let (mut split, rhs) = (Split::default(), SplitRhs::new(View::new(&[0.25; 5 * 40], k, n)));
            split.fill(View::new(&a, 3, k));
            for out in products(&split, &rhs) {
                assert!(out[n..2 * n].iter().all(|x| !x.is_finite()), "{odd} is hidden");
                assert!(out[..n].iter().chain(&out[2 * n..]).all(|x| *x == 5.0), "{odd} spreads");
            }
            // What an earlier product left in rows that are missing now.
            split.fill(View::new(&a[..k], 1, k));
            assert!(products(&split, &rhs).iter().flatten().all(|x| *x == 5.0), "{odd} was left behind");
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_rows_beside() {
        let mut stream = Stream::new(1, "tiles", 4);
        // More blocks of rows than a panel is fetched in.
        let (m, n, k) = (530, 40, 140);
        let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<f32>>();
        let (a, b) = (random(m * k), random(k * n));
        let (rhs, mut split) = (SplitRhs::new(View::new(&b, k, n)), Split::default());
        split.fill(View::new(&a, m, k));
        let whole = products(&split, &rhs);
        for rows in [16, 31, 33, 529] {
            for (number, a) in a.chunks(rows * k).enumerate() {
                split.fill(View::new(a, a.len() / k, k));
                for (whole, part) in whole.iter().zip(products(&split, &rhs)) {
                    assert!(part == whole[number * rows * n..][..part.len()], "blocks of {rows} rows");
                }
            }
        }
    }
}
