//! Files of vectors, `.npy` or `.safetensors`, read where they lie: rows are converted when they are asked for, so a
//! file that is mapped into memory is never held whole.

use super::{npy, unit};
use crate::data::MAX_EMBEDDING_DIM;
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

/// The name of the tensor that `crucible embed` writes; a file with one tensor may name it as it likes.
pub const TENSOR: &str = "embeddings";

/// The most rows: events are numbered in 32 bits, and one number is none.
const MAX_ROWS: usize = u32::MAX as usize - 1;

/// Numbers as they lie in a file, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
}

impl Element {
    fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Where the numbers lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) offset: usize,
    pub(super) rows: usize,
    pub(super) dim: usize,
    pub(super) element: Element,
}

/// Why a file's vectors can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorFileError {
    /// Nothing inside.
    #[error("is empty")]
    Empty,
    /// Neither format.
    #[error("is neither a .npy nor a .safetensors file")]
    Unknown,
    /// A header that can't be read.
    #[error("the {format} header is damaged: {what}")]
    Header {
        /// `.npy` or `.safetensors`.
        format: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// Other numbers than are read.
    #[error("holds numbers of type `{found}`; read are 32, 64 and 16 bit floats, little-endian")]
    Element {
        /// The type's name in the file.
        found: String,
    },
    /// Numbers lie in columns.
    #[error("holds the numbers column by column (Fortran order); they must lie row by row")]
    FortranOrder,
    /// Not a table.
    #[error("holds an array of {found} dimension(s); expected two: vectors and their numbers")]
    Dimensions {
        /// How many it has.
        found: usize,
    },
    /// Out of range.
    #[error("holds {rows} vectors of {dim} numbers; read are up to {MAX_ROWS} of 1 to {MAX_EMBEDDING_DIM}")]
    Size {
        /// Rows.
        rows: usize,
        /// Columns.
        dim: usize,
    },
    /// The header says something else than the file's size does.
    #[error("its header names {rows} vectors of {dim} numbers, {wanted} bytes, but {found} bytes follow it")]
    Length {
        /// Rows.
        rows: usize,
        /// Columns.
        dim: usize,
        /// What that takes.
        wanted: u128,
        /// What there is.
        found: usize,
    },
    /// Several tensors, none with the name.
    #[error("holds the tensors {names}; expected one, or one named `{TENSOR}`")]
    Tensors {
        /// The first few.
        names: String,
    },
    /// A model.
    #[error("is a checkpoint of Crucible, not a file of vectors")]
    Checkpoint,
}

impl VectorFileError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Checkpoint => "name it with --checkpoint",
            Self::Element { found } => match found.trim_start_matches(['<', '>', '|', '=']) {
                "u1" | "U8" => UNSIGNED,
                "i1" | "I8" => SIGNED,
                "b1" | "?" | "BOOL" => {
                    "they are signs; as numbers: numpy.save(file, numpy.where(array, 1, -1).astype('<f4'))"
                }
                "i2" | "u2" | "i4" | "u4" | "i8" | "u8" | "I16" | "U16" | "I32" | "U32" | "I64" | "U64" => {
                    "whole numbers are seldom vectors: are they ids of tokens or rows? Take the array of the model's vectors, \
                     as 32 bit floats"
                }
                kind if kind.starts_with('f') || kind.starts_with('F') => {
                    "convert it: numpy.save(file, array.astype('<f4'))"
                }
                _ => "save the model's vectors as 32 bit floats, one vector a row",
            },
            Self::FortranOrder => "convert it: numpy.save(file, numpy.ascontiguousarray(array))",
            Self::Length { .. } | Self::Header { .. } | Self::Empty => "is the file complete? Write or copy it again",
            _ => "`crucible embed` writes such files: one vector a row, their event ids in a file beside it",
        }
    }
}

/// For bytes from 0 to 255: neither kind becomes a vector by another type alone.
const UNSIGNED: &str = "bytes are quantised vectors, and no other type makes the vectors of them. precision=\"ubinary\" packs 8 \
     signs into a byte: numpy.save(file, 2 * numpy.unpackbits(array, axis=1).astype('<f4') - 1) has them as numbers. \
     precision=\"uint8\" keeps no scale: encode the texts again with precision=\"float32\"";
/// For bytes from -128 to 127.
const SIGNED: &str = "bytes are quantised vectors, and no other type makes the vectors of them. precision=\"binary\" packs 8 signs \
     into a byte: numpy.save(file, 2 * numpy.unpackbits((array.astype('i2') + 128).astype('u1'), axis=1).astype('<f4') - 1) has \
     them as numbers. precision=\"int8\" keeps no scale: encode the texts again with precision=\"float32\"";

/// A fault of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFault {
    /// The number at this position, from 0, is NaN or infinite.
    NotFinite(usize),
    /// All numbers are 0: no direction.
    Zero,
}

/// A file of vectors over its bytes.
pub struct VectorFile<B> {
    bytes: B,
    layout: Layout,
}

impl<B: AsRef<[u8]>> VectorFile<B> {
    /// Finds the numbers in `bytes` and checks that they are all there. Nothing is copied.
    ///
    /// # Errors
    /// Another format, a damaged header, an array of another shape or type, a file that is longer or shorter than it
    /// says.
    pub fn new(bytes: B) -> Result<Self, VectorFileError> {
        let all = bytes.as_ref();
        let (layout, end) = match all {
            [] => return Err(VectorFileError::Empty),
            _ if all.starts_with(npy::MAGIC) => (npy::layout(all)?, all.len()),
            _ => tensor(all)?,
        };
        let Layout { offset, rows, dim, element } = layout;
        if rows > MAX_ROWS || !(1..=MAX_EMBEDDING_DIM).contains(&dim) {
            return Err(VectorFileError::Size { rows, dim });
        }
        let (wanted, found) = (rows as u128 * dim as u128 * element.bytes() as u128, end - offset);
        if wanted != found as u128 {
            return Err(VectorFileError::Length { rows, dim, wanted, found });
        }
        Ok(Self { bytes, layout })
    }

    /// Number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layout.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layout.rows == 0
    }

    /// Numbers a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.layout.dim
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Writes the numbers of row `index`, as the file has them, to `out: [dim]`.
    ///
    /// # Panics
    /// There is no such row, or `out` is of another length.
    pub fn raw(&self, index: usize, out: &mut [f32]) {
        fn convert<const N: usize>(bytes: &[u8], out: &mut [f32], f: impl Fn([u8; N]) -> f32) {
            bytes.as_chunks::<N>().0.iter().zip(out).for_each(|(b, x)| *x = f(*b));
        }
        let Layout { offset, dim, element, .. } = self.layout;
        assert_eq!(out.len(), dim, "a row has {dim} numbers");
        let length = dim * element.bytes();
        let bytes = &self.bytes.as_ref()[offset + index * length..][..length];
        match element {
            Element::F16 => convert(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
            Element::Bf16 => convert(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
            Element::F32 => convert(bytes, out, f32::from_le_bytes),
            Element::F64 => convert(bytes, out, |b| f64::from_le_bytes(b) as f32),
        }
    }

    /// Writes row `index` in unit length to `out: [dim]` and returns its norm before.
    ///
    /// # Panics
    /// As [`VectorFile::raw`].
    pub fn unit(&self, index: usize, out: &mut [f32]) -> f32 {
        self.raw(index, out);
        unit(out)
    }

    /// What makes row `index` useless.
    ///
    /// # Panics
    /// There is no such row.
    #[must_use]
    pub fn fault(&self, index: usize) -> Option<RowFault> {
        let mut row = vec![0.0; self.dim()];
        self.raw(index, &mut row);
        row_fault(&row)
    }
}

/// What makes a vector useless.
#[must_use]
pub fn row_fault(row: &[f32]) -> Option<RowFault> {
    match row.iter().position(|x| !x.is_finite()) {
        Some(at) => Some(RowFault::NotFinite(at)),
        None => row.iter().all(|x| *x == 0.0).then_some(RowFault::Zero),
    }
}

/// The tensor of a safetensors file, and where its numbers end.
fn tensor(bytes: &[u8]) -> Result<(Layout, usize), VectorFileError> {
    // Its first bytes are a length, its ninth opens a JSON object.
    if bytes.get(8) != Some(&b'{') {
        return Err(VectorFileError::Unknown);
    }
    let damaged =
        |e: safetensors::SafeTensorError| VectorFileError::Header { format: ".safetensors", what: e.to_string() };
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    if metadata.metadata().as_ref().is_some_and(|m| m.contains_key("crucible")) {
        return Err(VectorFileError::Checkpoint);
    }
    let tensors = metadata.tensors();
    let only = tensors.values().next().filter(|_| tensors.len() == 1);
    let Some(info) = tensors.get(TENSOR).or(only) else {
        let mut names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        names.truncate(5);
        return Err(VectorFileError::Tensors { names: names.join(", ") });
    };
    let element = match info.dtype {
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        other => return Err(VectorFileError::Element { found: other.to_string() }),
    };
    let [rows, dim] = info.shape[..] else { return Err(VectorFileError::Dimensions { found: info.shape.len() }) };
    // `read_metadata` has checked that offsets ascend without gaps and end with the file.
    let (start, end) = info.data_offsets;
    let base = size_of::<u64>() + header;
    Ok((Layout { offset: base + start, rows, dim, element }, base + end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embeddings::npy_header;
    use crate::rng::Stream;
    use safetensors::tensor::TensorView;

    fn npy(rows: usize, dim: usize, values: &[f32]) -> Vec<u8> {
        let data = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        [npy_header(rows, dim), data].concat()
    }

    fn refused(bytes: Vec<u8>) -> VectorFileError {
        match VectorFile::new(bytes) {
            Ok(file) => panic!("{} rows were read", file.len()),
            Err(e) => e,
        }
    }

    #[test]
    fn every_type_of_number_is_read_in_both_formats() {
        let mut stream = Stream::new(3, "vectors", 0);
        let (rows, dim) = (5, 7);
        // Halves of small whole numbers: exact in every type.
        let values: Vec<f32> = (0..rows * dim).map(|_| stream.below(200) as f32 / 2.0 - 50.0).collect();
        let as_bytes: [(Dtype, &str, Vec<u8>); 4] = [
            (Dtype::F16, "<f2", values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()),
            (Dtype::BF16, "", values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect()),
            (Dtype::F32, "<f4", values.iter().flat_map(|x| x.to_le_bytes()).collect()),
            (Dtype::F64, "<f8", values.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect()),
        ];
        for (dtype, descr, data) in as_bytes {
            let view = TensorView::new(dtype, vec![rows, dim], &data).expect("fits");
            let mut files = vec![safetensors::serialize([("any", view)], None).expect("serialises")];
            if !descr.is_empty() {
                let header = String::from_utf8_lossy(&npy_header(rows, dim)[10..]).replace("<f4", descr);
                files.push([&npy_header(rows, dim)[..10], header.as_bytes(), &data].concat());
            }
            for file in files {
                let file = VectorFile::new(file).expect("reads");
                assert_eq!((file.len(), file.dim()), (rows, dim));
                for (i, wanted) in values.chunks(dim).enumerate() {
                    let mut row = vec![f32::NAN; dim];
                    file.raw(i, &mut row);
                    assert!(row == wanted || dtype == Dtype::BF16, "{dtype:?} row {i}: {row:?}, expected {wanted:?}");
                    assert!(row.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= b.abs() / 128.0), "{dtype:?} {i}");
                    let norm = file.unit(i, &mut row);
                    let length = row.iter().map(|x| x * x).sum::<f32>();
                    assert!((length - 1.0).abs() < 1e-5 && norm > 1.0, "{length}, {norm}");
                }
            }
        }
    }

    #[test]
    fn sizes_are_checked_before_anything_is_read() {
        assert_eq!(refused(Vec::new()), VectorFileError::Empty);
        assert_eq!(refused(b"text, and more of it".to_vec()), VectorFileError::Unknown);
        let file = npy(2, 2, &[1.0, 2.0, 3.0, 4.0]);
        for (bytes, found) in [(file[..file.len() - 1].to_vec(), 15), ([&file[..], &[0]].concat(), 17)] {
            assert_eq!(refused(bytes), VectorFileError::Length { rows: 2, dim: 2, wanted: 16, found });
        }
        // Products that overflow 64 bits.
        for (rows, dim) in [(usize::MAX, 2), (2, usize::MAX), (1 << 32, 1), (1, 0), (1, MAX_EMBEDDING_DIM + 1)] {
            assert_eq!(refused(npy(rows, dim, &[])), VectorFileError::Size { rows, dim });
        }
        let (rows, dim) = (MAX_ROWS, MAX_EMBEDDING_DIM);
        assert!(matches!(refused(npy(rows, dim, &[])), VectorFileError::Length { .. }));
        assert!(VectorFile::new(npy(0, 3, &[])).expect("no rows").is_empty());
    }

    #[test]
    fn tensors_are_found_by_name_and_offsets_are_not_believed() {
        let data = [0u8; 16];
        let view = |shape: &[usize]| TensorView::new(Dtype::F32, shape.to_vec(), &data).expect("fits");
        let two = safetensors::serialize([("a", view(&[2, 2])), ("embeddings", view(&[1, 4]))], None).expect("writes");
        assert_eq!(VectorFile::new(two).expect("by name").dim(), 4);
        let two = safetensors::serialize([("a", view(&[2, 2])), ("b", view(&[1, 4]))], None).expect("writes");
        assert_eq!(refused(two), VectorFileError::Tensors { names: "a, b".to_owned() });
        let flat = safetensors::serialize([("a", view(&[4]))], None).expect("writes");
        assert_eq!(refused(flat.clone()), VectorFileError::Dimensions { found: 1 });
        let known = std::collections::HashMap::from([("crucible".to_owned(), "{}".to_owned())]);
        let model = safetensors::serialize([("a", view(&[2, 2]))], Some(known)).expect("writes");
        assert_eq!(refused(model), VectorFileError::Checkpoint);
        let good = safetensors::serialize([("a", view(&[2, 2]))], None).expect("writes");
        for length in 1..good.len() {
            assert!(VectorFile::new(good[..length].to_vec()).is_err(), "{length} bytes");
        }
        let mut long = good;
        long[7] = 0xff;
        assert!(matches!(refused(long), VectorFileError::Header { .. }));
    }

    #[test]
    fn other_types_of_numbers_have_their_own_advice() {
        for (found, part, astype) in [
            ("|u1", "2 * numpy.unpackbits(array, axis=1)", true),
            ("U8", "2 * numpy.unpackbits(array, axis=1)", true),
            ("|i1", "numpy.unpackbits((array.astype('i2') + 128).astype('u1'), axis=1)", true),
            ("|b1", "numpy.where(array, 1, -1)", true),
            (">f4", "array.astype('<f4')", true),
            ("<i8", "ids of tokens", false),
            ("F8_E4M3", "array.astype('<f4')", true),
            ("|O", "32 bit floats", false),
        ] {
            let advice = VectorFileError::Element { found: found.to_owned() }.advice();
            assert!(advice.contains(part) && advice.contains("astype") == astype, "{found}: {advice}");
        }
        for found in ["|u1", "|i1"] {
            let advice = VectorFileError::Element { found: found.to_owned() }.advice();
            assert!(advice.contains("encode the texts again"), "{advice}");
            assert!(!advice.contains("array.astype('<f4')"), "bytes are no numbers of a vector: {advice}");
        }
    }

    #[test]
    fn useless_rows_are_told() {
        let file = VectorFile::new(npy(3, 2, &[1.0, f32::NAN, 0.0, -0.0, 1e-30, 0.0])).expect("reads");
        let faults: Vec<_> = (0..3).map(|i| file.fault(i)).collect();
        assert_eq!(faults, [Some(RowFault::NotFinite(1)), Some(RowFault::Zero), None]);
        let mut row = [0.0; 2];
        file.unit(2, &mut row);
        assert_eq!(row, [1.0, 0.0]);
    }
}
