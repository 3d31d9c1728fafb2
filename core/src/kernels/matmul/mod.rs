//! Matrix products over row-major slices.
//!
//! The right-hand side is packed into panels of columns, once for all who multiply with it, or read in place where its rows
//! begin at lines of the cache; a tile of the output stays in registers while one panel streams past. Products are summed by
//! `k` ascending, in even spans of at most 256 (384 for the weights of a model that is only used), so that the bits do not
//! depend on threads, on how rows are cut, or on where the right-hand side is read; they may depend on the instruction set,
//! where one of them has no fused multiply-add. Weights of a model that is only used ([`Weights`]) go through the processor's
//! matrix tiles instead, where it has some, with sums in another order.

mod amx;
mod memory;
mod packed;
mod transpose;
mod weights;

use super::simd::{LINE, prefetch_near};
use crate::parallel;
use pulp::{Simd, WithSimd};
use std::ops::Range;

pub use amx::{Split, available as has_tiles};
pub use packed::{Packed, Part, WHOLE_PANELS};
pub use transpose::transpose;
pub use weights::{Inputs, Weights};

/// Rows of the right-hand side that are packed and multiplied together, at most: a panel of them stays near the core.
const SPAN: usize = 256;

/// Numbers that stay near a core by themselves. Where more lie in one memory, from a right-hand side on, the next panel is
/// fetched while one is multiplied with; where fewer do, that would only take time.
const NEAR: usize = 1 << 18;

/// Lines of a panel that go through a tile between two looks at how many are left.
const UNROLLED: usize = 4;

/// At most `most` for `rows` in all, so that spans are even: a short one does little between reading and storing its sums.
fn span_of(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).max(1)).max(1)
}

/// A matrix inside a slice of `f32`, possibly transposed.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> View<'a> {
    /// `data: [rows, cols]`, row-major.
    ///
    /// # Panics
    /// When `data` has another length.
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        // Else a size that overflows would pass, and what reads without checks relies on it.
        assert_eq!(Some(data.len()), rows.checked_mul(cols), "a [{rows}, {cols}] matrix does not have so many numbers");
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, without moving data.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Columns `range` of it.
    ///
    /// # Panics
    /// When the range reaches past the last column.
    #[must_use]
    pub fn columns(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.cols, "columns {range:?} of {}", self.cols);
        let skipped = (range.start * self.col_stride).min(self.data.len());
        Self { data: &self.data[skipped..], cols: range.len(), ..self }
    }

    /// Rows `range` of it.
    ///
    /// # Panics
    /// When the range reaches past the last row.
    #[must_use]
    pub fn rows(self, range: Range<usize>) -> Self {
        self.t().columns(range).t()
    }

    /// Rows and columns.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    fn at(&self, row: usize, col: usize) -> f32 {
        self.data[row * self.row_stride + col * self.col_stride]
    }

    /// Whether products read it in place as fast as packed: whole panels, rows that begin at lines of the cache.
    #[must_use]
    pub fn fits_in_place(&self) -> bool {
        let lanes = pulp::Arch::new().dispatch(Lanes);
        let aligned =
            self.data.as_ptr().addr().is_multiple_of(align_of::<Line>()) && self.row_stride.is_multiple_of(LINE);
        self.col_stride == 1 && aligned && self.cols.is_multiple_of(vectors_a_row(lanes, self.cols) * lanes)
    }
}

/// The scalar reference: `out = lhs · rhs`, each row plus `bias` where there is one, sums in `f64`.
///
/// # Panics
/// When the shapes do not fit.
pub fn reference(out: &mut [f32], lhs: View<'_>, rhs: View<'_>, bias: Option<&[f32]>) {
    check(out, &lhs, (rhs.rows, rhs.cols));
    for row in 0..lhs.rows {
        for col in 0..rhs.cols {
            let sum: f64 = (0..lhs.cols).map(|k| f64::from(lhs.at(row, k)) * f64::from(rhs.at(k, col))).sum();
            out[row * rhs.cols + col] = (sum + bias.map_or(0.0, |b| f64::from(b[col]))) as f32;
        }
    }
}

/// A line of the cache: a vector that lies across two of them takes twice as long to read.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

impl Line {
    const ZERO: Self = Self([0.0; LINE]);
}

/// Numbers whose first begins a line of the cache.
#[derive(Clone, Debug, Default)]
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// Makes it `len` numbers long; what new ones hold is open.
    pub fn resize(&mut self, len: usize) {
        self.lines.resize(len.div_ceil(LINE), Line::ZERO);
        self.len = len;
    }
}

impl From<Vec<f32>> for Aligned {
    fn from(numbers: Vec<f32>) -> Self {
        let mut aligned = Self::default();
        aligned.resize(numbers.len());
        aligned.copy_from_slice(&numbers);
        aligned
    }
}

impl PartialEq for Aligned {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

/// A right-hand side, ready to be multiplied with.
#[derive(Clone, Copy)]
pub enum Rhs<'a> {
    /// In panels.
    Packed(&'a Packed),
    /// Rows that [fit](View::fits_in_place).
    InPlace(View<'a>),
}

impl<'a> Rhs<'a> {
    /// The view, if it fits; else what it was packed into.
    #[must_use]
    pub fn of(view: View<'a>, packed: &'a Packed) -> Self {
        if view.fits_in_place() { Self::InPlace(view) } else { Self::Packed(packed) }
    }

    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Packed(packed) => (packed.rows, packed.cols),
            Self::InPlace(view) => (view.rows, view.cols),
        }
    }
}

impl<'a> From<&'a Packed> for Rhs<'a> {
    fn from(packed: &'a Packed) -> Self {
        Self::Packed(packed)
    }
}

/// Numbers of a vector.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Vectors of a tile's row: four where there are registers for them and columns to fill them.
fn vectors_a_row(lanes: usize, cols: usize) -> usize {
    if lanes >= 16 && cols > 2 * lanes { 4 } else { 2 }
}

/// `out = lhs · rhs`; `out: [lhs.rows, rhs.cols]`, row-major. Its old content does not matter.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul(out: &mut [f32], lhs: View<'_>, rhs: View<'_>) {
    check(out, &lhs, (rhs.rows, rhs.cols));
    matmul_packed(out, lhs, &Packed::new(rhs));
}

/// The same with a right-hand side that is packed already.
///
/// # Panics
/// When the shapes do not fit.
fn matmul_packed<'a>(out: &mut [f32], lhs: View<'_>, rhs: impl Into<Rhs<'a>>) {
    let rhs = rhs.into();
    let (_, cols) = rhs.shape();
    check(out, &lhs, rhs.shape());
    if out.is_empty() {
        return;
    }
    let block = rows_a_block(lhs.rows);
    parallel::for_blocks(out, block * cols, |number, out| {
        let first = number * block;
        matmul_block(out, lhs.rows(first..first + out.len() / cols), rhs, None);
    });
}

/// Rows of the output that are computed together: about a quarter, at most 480.
fn rows_a_block(rows: usize) -> usize {
    rows.div_ceil(4).clamp(1, 480)
}

/// The same on the calling thread; with `bias: [rhs.cols]`, it is added to every row.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul_block<'a>(out: &mut [f32], lhs: View<'_>, rhs: impl Into<Rhs<'a>>, bias: Option<&[f32]>) {
    let rhs = rhs.into();
    if let Some(bias) = bias {
        let (_, cols) = rhs.shape();
        assert_eq!(bias.len(), cols, "a bias of {} numbers for {cols} columns", bias.len());
    }
    product(out, lhs, rhs, bias.map_or(Onto::Nothing, Onto::Row));
}

fn product(out: &mut [f32], lhs: View<'_>, rhs: Rhs<'_>, onto: Onto<'_>) {
    let (rows, cols) = rhs.shape();
    check(out, &lhs, (rows, cols));
    if settled(out, (rows, cols), onto) {
        return;
    }
    pulp::Arch::new().dispatch(Product { out, lhs, rhs, onto });
}

/// Whether nothing is to be multiplied; then `out` is what it is added to.
fn settled(out: &mut [f32], (rows, cols): (usize, usize), onto: Onto<'_>) -> bool {
    if rows == 0 && !out.is_empty() {
        match onto {
            Onto::Row(row) => out.chunks_exact_mut(cols).for_each(|out| out.copy_from_slice(row)),
            Onto::Nothing => out.fill(0.0),
            Onto::Old => {}
        }
    }
    rows == 0 || out.is_empty()
}

struct Product<'a> {
    out: &'a mut [f32],
    lhs: View<'a>,
    rhs: Rhs<'a>,
    onto: Onto<'a>,
}

/// What a product is added to.
#[derive(Clone, Copy)]
enum Onto<'a> {
    Nothing,
    /// Every row to this one.
    Row(&'a [f32]),
    /// What is there, such as earlier spans.
    Old,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (rows, cols) = self.rhs.shape();
        let (width, length) = match self.rhs {
            Rhs::Packed(packed) => (packed.panel, packed.span),
            Rhs::InPlace(view) => {
                assert_eq!(view.col_stride, 1, "rows do not lie side by side");
                (vectors_a_row(S::F32_LANES, cols) * S::F32_LANES, span_of(rows, SPAN))
            }
        };
        let panels = cols.div_ceil(width);
        for first in (0..rows).step_by(length) {
            let depth = first..rows.min(first + length);
            for number in 0..panels {
                let column = number * width;
                let (data, stride, soon) = match self.rhs {
                    Rhs::Packed(packed) => {
                        let all = packed.tail();
                        let (own, later) =
                            all[first * panels * width + depth.len() * column..].split_at(depth.len() * width);
                        let soon = if all.len() > NEAR { later.len().min(own.len()) } else { 0 };
                        (own, width, &later[..soon])
                    }
                    Rhs::InPlace(view) => (&view.data[first * view.row_stride + column..], view.row_stride, &[][..]),
                };
                let lines = Lines::new(data, stride, depth.len(), width);
                if S::F32_LANES >= 16 && width == 4 * S::F32_LANES {
                    self.panel::<S, 4>(simd, lines, &depth, column, soon);
                } else {
                    self.panel::<S, 2>(simd, lines, &depth, column, soon);
                }
            }
            self.onto = Onto::Old;
        }
    }
}

/// Lines of a panel: `count` rows of `width` numbers, each `stride` numbers after the one before.
#[derive(Clone, Copy)]
struct Lines<'a> {
    data: &'a [f32],
    stride: usize,
    count: usize,
    width: usize,
}

impl<'a> Lines<'a> {
    fn new(data: &'a [f32], stride: usize, count: usize, width: usize) -> Self {
        assert!(count > 0 && (count - 1) * stride + width <= data.len(), "{count} lines reach past their data");
        Self { data, stride, count, width }
    }

    /// # Safety
    /// There are more than `k` lines, and they are as wide as `V` vectors.
    #[inline(always)]
    #[expect(unsafe_code, reason = "with checks, the compiler reads in a slower way, and not always in the same")]
    unsafe fn get<S: Simd, const V: usize>(&self, k: usize) -> &'a [S::f32s; V] {
        const { assert!(align_of::<S::f32s>() <= align_of::<f32>(), "vectors are read from wherever numbers lie") };
        // SAFETY: `new` has found that they are there.
        unsafe { &*self.data.as_ptr().add(k * self.stride).cast() }
    }
}

impl Product<'_> {
    /// Everything that one panel contributes. Six rows of sums leave room for the operands in the registers; fewer than
    /// three don't keep the arithmetic busy, so the rest of the rows is taken in threes, fours and fives. Meanwhile the next
    /// panel, `soon`, is fetched.
    #[inline(always)]
    fn panel<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        lines: Lines<'_>,
        depth: &Range<usize>,
        column: usize,
        soon: &[f32],
    ) {
        assert_eq!(lines.width, V * S::F32_LANES, "panels are as wide as tiles");
        let rows = self.lhs.rows;
        let last = match (rows, rows % 6) {
            (0..6, _) => 0,
            (_, 1) => rows - 7,
            (_, 2) => rows - 8,
            (_, rest) => rows - rest,
        };
        let mut soon = soon.chunks((6 * soon.len()).div_ceil(last.max(1)).max(1));
        for row in (0..last).step_by(6) {
            if let Some(soon) = soon.next() {
                prefetch_near(soon);
            }
            self.tile::<S, 6, V>(simd, lines, depth, row, column);
        }
        let mut row = last;
        while row < rows {
            row += match rows - row {
                1 => self.tile::<S, 1, V>(simd, lines, depth, row, column),
                2 => self.tile::<S, 2, V>(simd, lines, depth, row, column),
                3 => self.tile::<S, 3, V>(simd, lines, depth, row, column),
                5 => self.tile::<S, 5, V>(simd, lines, depth, row, column),
                _ => self.tile::<S, 4, V>(simd, lines, depth, row, column),
            };
        }
    }

    /// The tile of `R` rows from `row` on; returns `R`.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        lines: Lines<'_>,
        depth: &Range<usize>,
        row: usize,
        column: usize,
    ) -> usize {
        let View { data, row_stride, col_stride, .. } = self.lhs;
        let sums = if col_stride == 1 {
            sums_by_rows(simd, lines, |i| &data[(row + i) * row_stride + depth.start..][..lines.count])
        } else {
            sums_by_columns(simd, lines, &data[depth.start * col_stride + row..], col_stride)
        };
        let sums: [[S::f32s; V]; R] = sums;
        for (i, sums) in sums.into_iter().enumerate() {
            let (_, cols) = self.rhs.shape();
            let out = &mut self.out[(row + i) * cols..][..cols][column..];
            store::<S, V>(simd, out, sums, self.onto, column);
        }
        R
    }
}

/// `sums[i][v] = Σ_k rows(i)[k] · lines[k][v]`.
#[inline(always)]
#[expect(unsafe_code, reason = "with checks, the compiler reads rows in a slower way, and not always in the same")]
fn sums_by_rows<'a, S: Simd, const R: usize, const V: usize>(
    simd: S,
    lines: Lines<'_>,
    rows: impl Fn(usize) -> &'a [f32],
) -> [[S::f32s; V]; R] {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    let rows: [&[f32]; R] = std::array::from_fn(|i| &rows(i)[..lines.count]);
    // Loops, here and below: closures would not be compiled for these vectors.
    let mut k = 0;
    while k + UNROLLED <= lines.count {
        for k in k..k + UNROLLED {
            // SAFETY: lines are counted, and a row has as many numbers as there are lines.
            add(simd, &mut sums, |i| unsafe { *rows[i].get_unchecked(k) }, unsafe { lines.get::<S, V>(k) });
        }
        k += UNROLLED;
    }
    while k < lines.count {
        // SAFETY: as above.
        add(simd, &mut sums, |i| unsafe { *rows[i].get_unchecked(k) }, unsafe { lines.get::<S, V>(k) });
        k += 1;
    }
    // Element by element: a whole array handed on would keep the sums in memory.
    std::array::from_fn(|i| std::array::from_fn(|v| sums[i][v]))
}

/// `sums[i][v] = Σ_k columns[k · stride + i] · lines[k][v]`.
#[inline(always)]
#[expect(unsafe_code, reason = "as above")]
fn sums_by_columns<S: Simd, const R: usize, const V: usize>(
    simd: S,
    lines: Lines<'_>,
    columns: &[f32],
    stride: usize,
) -> [[S::f32s; V]; R] {
    assert!((lines.count - 1) * stride + R <= columns.len(), "columns reach past their data");
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    let mut k = 0;
    while k + UNROLLED <= lines.count {
        for k in k..k + UNROLLED {
            // SAFETY: lines are counted, and all of their numbers were found to be there.
            add(simd, &mut sums, |i| unsafe { *columns.get_unchecked(k * stride + i) }, unsafe {
                lines.get::<S, V>(k)
            });
        }
        k += UNROLLED;
    }
    while k < lines.count {
        // SAFETY: as above.
        add(simd, &mut sums, |i| unsafe { *columns.get_unchecked(k * stride + i) }, unsafe { lines.get::<S, V>(k) });
        k += 1;
    }
    std::array::from_fn(|i| std::array::from_fn(|v| sums[i][v]))
}

/// `sums[i][v] += lhs(i) · line[v]`.
#[inline(always)]
fn add<S: Simd, const R: usize, const V: usize>(
    simd: S,
    sums: &mut [[S::f32s; V]; R],
    lhs: impl Fn(usize) -> f32,
    line: &[S::f32s; V],
) {
    for (i, sums) in sums.iter_mut().enumerate() {
        let a = simd.splat_f32s(lhs(i));
        for v in 0..V {
            sums[v] = simd.mul_add_e_f32s(a, line[v], sums[v]);
        }
    }
}

/// Writes a tile's row to `out`, which begins at `column` of its row and may end within the tile.
#[inline(always)]
fn store<S: Simd, const V: usize>(simd: S, out: &mut [f32], sums: [S::f32s; V], onto: Onto<'_>, column: usize) {
    let width = V * S::F32_LANES;
    if out.len() >= width {
        let (out, _) = S::as_mut_simd_f32s(&mut out[..width]);
        match onto {
            Onto::Nothing => out.iter_mut().zip(sums).for_each(|(o, sum)| *o = sum),
            Onto::Row(row) => {
                let (row, _) = S::as_simd_f32s(&row[column..][..width]);
                (0..V).for_each(|v| out[v] = simd.add_f32s(row[v], sums[v]));
            }
            Onto::Old => (0..V).for_each(|v| out[v] = simd.add_f32s(out[v], sums[v])),
        }
    } else {
        for (i, (o, sum)) in out.iter_mut().zip(bytemuck::cast_slice::<S::f32s, f32>(&sums)).enumerate() {
            *o = match onto {
                Onto::Nothing => *sum,
                Onto::Row(row) => row[column + i] + sum,
                Onto::Old => *o + sum,
            };
        }
    }
}

fn check(out: &[f32], lhs: &View<'_>, (rows, cols): (usize, usize)) {
    assert_eq!(lhs.cols, rows, "lhs has {} columns, rhs {rows} rows", lhs.cols);
    assert_eq!(out.len(), lhs.rows * cols, "out does not hold [{}, {cols}]", lhs.rows);
}

#[cfg(test)]
mod tests {
    use super::memory::Memory;
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn agrees_with_the_reference_on_every_size_and_transpose() {
        let mut stream = Stream::new(1, "matmul", 0);
        let mut packed = Packed::default();
        let sizes = [
            (0, 3, 2),
            (3, 0, 2),
            (1, 1, 1),
            (1, 7, 0),
            (5, 1, 9),
            (48, 64, 16),
            (49, 65, 17),
            (131, 70, 2 * SPAN + 1),
        ];
        for (m, n, k) in sizes {
            for (lt, rt) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<_>>();
                let (a, b, c) = (random(m * k), random(k * n), random(n));
                let lhs = if lt { View::new(&a, k, m).t() } else { View::new(&a, m, k) };
                let rhs = if rt { View::new(&b, n, k).t() } else { View::new(&b, k, n) };
                for bias in [None, Some(c.as_slice())] {
                    // The old content must not shine through, not even NaN; nor what was packed before.
                    let (mut fast, mut slow) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
                    packed.pack(rhs);
                    matmul_block(&mut fast, lhs, &packed, bias);
                    reference(&mut slow, lhs, rhs, bias);
                    let mut twice = fast.clone();
                    product(&mut twice, lhs, (&packed).into(), Onto::Old);
                    for (i, (x, y)) in twice.iter().zip(&slow).enumerate() {
                        let bias = bias.map_or(0.0, |b| b[i % n]);
                        assert!((x - (2.0 * y - bias)).abs() <= 8e-5, "[{m},{n},{k}] onto, at {i}: {x} and 2 x {y}");
                    }
                    if bias.is_none() {
                        let mut spread = vec![f32::NAN; m * n];
                        matmul_packed(&mut spread, lhs, &packed);
                        assert!(spread == fast, "[{m},{n},{k}]: blocks of rows change bits");
                    }
                    for (i, (x, y)) in fast.iter().zip(&slow).enumerate() {
                        assert!((x - y).abs() <= 4e-5, "[{m},{n},{k}] {lt} {rt} at {i}: {x} and {y}");
                    }
                }
            }
        }
    }

    /// The product as `S` computes it.
    fn product_by<S: Simd>(simd: S, lhs: View<'_>, rhs: View<'_>, most: usize, bias: Option<&[f32]>) -> Vec<f32> {
        let (mut packed, mut out) = (Packed::default(), vec![f32::NAN; lhs.rows * rhs.cols]);
        packed.pack_for(rhs, most, S::F32_LANES);
        assert_eq!(packed.unpacked(), Packed::new(rhs).unpacked());
        let onto = bias.map_or(Onto::Nothing, Onto::Row);
        simd.vectorize(Product { out: &mut out, lhs, rhs: (&packed).into(), onto });
        if rhs.col_stride == 1 && most == SPAN && rhs.cols.is_multiple_of(packed.panel) {
            let mut in_place = vec![f32::NAN; out.len()];
            simd.vectorize(Product { out: &mut in_place, lhs, rhs: Rhs::InPlace(rhs), onto });
            assert!(in_place == out, "in place: [{}, {}] x [{}, {}]", lhs.rows, lhs.cols, rhs.rows, rhs.cols);
        }
        out
    }

    #[test]
    fn every_instruction_set_at_hand_agrees_with_the_reference() {
        let mut stream = Stream::new(1, "matmul", 3);
        for (m, n, k) in [(1, 1, 1), (7, 32, 5), (31, 33, 31), (13, 150, 300), (8, 128, 300), (6, 64, 1)] {
            for transposed in [false, true] {
                let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<_>>();
                let (a, b, c) = (random(m * k), random(k * n), random(n));
                let lhs = if transposed { View::new(&a, k, m).t() } else { View::new(&a, m, k) };
                let rhs = View::new(&b, k, n);
                let mut slow = vec![f32::NAN; m * n];
                reference(&mut slow, lhs, rhs, Some(&c));
                let mut all = Vec::new();
                for most in [100, SPAN] {
                    all.push(product_by(pulp::Scalar, lhs, rhs, most, Some(&c)));
                    #[cfg(target_arch = "x86_64")]
                    {
                        all.extend(pulp::x86::V3::try_new().map(|simd| product_by(simd, lhs, rhs, most, Some(&c))));
                        all.extend(pulp::x86::V4::try_new().map(|simd| product_by(simd, lhs, rhs, most, Some(&c))));
                    }
                }
                for (number, fast) in all.iter().enumerate() {
                    for (i, (x, y)) in fast.iter().zip(&slow).enumerate() {
                        assert!((x - y).abs() <= 4e-5, "set {number}, [{m},{n},{k}] at {i}: {x} and {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn in_place_is_what_lies_in_lines_of_the_cache() {
        let lanes = pulp::Arch::new().dispatch(Lanes);
        let mut data = Aligned::default();
        data.resize(300 * 128 + 16);
        let mut stream = Stream::new(1, "matmul", 4);
        data.iter_mut().for_each(|x| *x = stream.symmetric(1.0));
        let fits = |view: View<'_>| view.fits_in_place();
        assert!(fits(View::new(&data[..300 * 128], 300, 128)) && fits(View::new(&data[16..], 300, 128)));
        assert!(fits(View::new(&data[..300 * 128], 300, 128).columns(64..128)));
        assert!(!fits(View::new(&data[1..][..128], 1, 128)), "rows that begin within a line");
        assert!(!fits(View::new(&data[..128 * 64], 128, 64).t()), "rows that do not lie side by side");
        assert!(lanes < 4 || !fits(View::new(&data[..5 * 48], 5, 48)) || !fits(View::new(&data[..5 * 72], 5, 72)));
        // Some of the columns of longer rows, on either way.
        let (rhs, lhs) = (View::new(&data[16..], 300, 128).columns(64..128), View::new(&data[..7 * 300], 7, 300));
        let packed = Packed::new(rhs);
        let (mut one, mut other) = (vec![f32::NAN; 7 * 64], vec![f32::NAN; 7 * 64]);
        matmul_block(&mut one, lhs, Rhs::of(rhs, &packed), None);
        matmul_block(&mut other, lhs, &packed, None);
        assert!(matches!(Rhs::of(rhs, &packed), Rhs::InPlace(_)) && one == other);
        matmul_packed(&mut other, lhs, Rhs::of(rhs, &packed));
        assert!(one == other);
    }

    #[test]
    fn unpacking_gives_back_what_was_packed() {
        let mut stream = Stream::new(1, "matmul", 2);
        for (k, n) in [(0, 3), (3, 0), (1, 1), (7, 16), (300, 70), (513, 65)] {
            let b: Vec<f32> = (0..k * n).map(|_| stream.symmetric(1.0)).collect();
            let packed = Packed::new(View::new(&b, k, n));
            assert!(packed.unpacked() == b, "[{k}, {n}]");
            let long = Packed::in_long_spans(View::new(&b, k, n));
            assert!(long.unpacked() == b, "[{k}, {n}] in long spans");
            let a: Vec<f32> = (0..5 * k).map(|_| stream.symmetric(1.0)).collect();
            let (mut fast, mut slow) = (vec![f32::NAN; 5 * n], vec![f32::NAN; 5 * n]);
            matmul_block(&mut fast, View::new(&a, 5, k), &long, None);
            reference(&mut slow, View::new(&a, 5, k), View::new(&b, k, n), None);
            assert!(fast.iter().zip(&slow).all(|(x, y)| (x - y).abs() <= 4e-5), "[{k}, {n}] in long spans");
            assert_eq!((packed.rows(), packed.cols()), (k, n));
            let transposed = Packed::new(View::new(&b, k, n).t()).unpacked();
            assert!((0..k * n).all(|i| transposed[i % n * k + i / n] == b[i]), "[{k}, {n}] transposed");
        }
    }

    #[test]
    fn parts_make_up_the_whole() {
        let mut stream = Stream::new(1, "matmul", 6);
        for (k, n) in [(0, 3), (3, 0), (1, 1), (70, 64), (300, 200), (600, 130)] {
            let b: Vec<f32> = (0..k * n).map(|_| stream.symmetric(1.0)).collect();
            for rhs in [View::new(&b, k, n), View::new(&b, n, k).t()] {
                for width in [64, 128] {
                    // What was packed before must not shine through.
                    let mut packed = Packed::new(View::new(&[f32::NAN; 64 * 700], 700, 64));
                    let mut parts = packed.parts((k, n), width);
                    assert_eq!(parts.len(), n.div_ceil(width));
                    for (number, part) in parts.iter_mut().enumerate().rev() {
                        part.pack(rhs.columns(number * width..n.min((number + 1) * width)));
                    }
                    let whole = Packed::new(rhs);
                    assert!(packed.unpacked() == whole.unpacked(), "[{k}, {n}] in parts of {width}");
                    let a: Vec<f32> = (0..3 * k).map(|_| stream.symmetric(1.0)).collect();
                    let [mut one, mut other] = [vec![f32::NAN; 3 * n], vec![f32::NAN; 3 * n]];
                    matmul_block(&mut one, View::new(&a, 3, k), &packed, None);
                    matmul_block(&mut other, View::new(&a, 3, k), &whole, None);
                    assert!(one == other, "[{k}, {n}] in parts of {width}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "another matrix than the part was made for")]
    fn a_part_takes_only_its_own_columns() {
        Packed::default().parts((3, 70), 64)[1].pack(View::new(&[0.0; 21], 3, 7));
    }

    #[test]
    fn what_is_put_together_stays_what_it_was() {
        let mut stream = Stream::new(1, "matmul", 5);
        for lanes in [1, 4, 8, 16] {
            let shapes = [(300, 70), (0, 3), (7, 1), (64, 64), (3, 0), (513, 33)];
            let all = shapes.map(|(k, n)| (0..k * n).map(|_| stream.symmetric(1.0)).collect::<Vec<f32>>());
            let mut packed = [(); 6].map(|()| Packed::default());
            for ((packed, b), (k, n)) in packed.iter_mut().zip(&all).zip(shapes) {
                packed.pack_for(View::new(b, k, n), SPAN, lanes);
            }
            Memory::put_together(packed.iter_mut().map(Packed::memory));
            for (packed, b) in packed.iter().zip(&all) {
                assert!(packed.unpacked() == *b, "{lanes} lanes");
            }
            let ([one, .., other], (k, n)) = (&packed, shapes[0]);
            if lanes == pulp::Arch::new().dispatch(Lanes) {
                let alone = Packed::new(View::new(&all[0], k, n));
                let (mut near, mut far) = (vec![f32::NAN; 13 * n], vec![f32::NAN; 13 * n]);
                let lhs: Vec<f32> = (0..13 * k).map(|_| stream.symmetric(1.0)).collect();
                matmul_block(&mut near, View::new(&lhs, 13, k), one, None);
                matmul_block(&mut far, View::new(&lhs, 13, k), &alone, None);
                assert!(near == far);
            }
            // Packing again leaves the others alone.
            let mut again = other.clone();
            again.pack_for(View::new(&all[2], 7, 1), SPAN, lanes);
            assert!(again.unpacked() == all[2] && other.unpacked() == all[5]);
        }
    }

    #[test]
    fn bits_do_not_depend_on_how_rows_are_cut() {
        let mut stream = Stream::new(1, "matmul", 1);
        let (m, n, k) = (23, 70, 300);
        let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<_>>();
        let (a, b) = (random(m * k), random(k * n));
        let packed = Packed::new(View::new(&b, k, n));
        let mut whole = vec![0.0; m * n];
        matmul_block(&mut whole, View::new(&a, m, k), &packed, None);
        for rows in [1, 2, 5, 7, 12] {
            for (out, lhs) in whole.chunks(rows * n).zip(a.chunks(rows * k)) {
                let mut part = vec![0.0; out.len()];
                matmul_block(&mut part, View::new(lhs, lhs.len() / k, k), &packed, None);
                assert!(part == out, "blocks of {rows} rows");
            }
        }
    }
}
