//! Numbers of many items, packed: little-endian typed arrays in base64, as a browser reads them.

use ct_codecs::{Base64, Decoder, Encoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one count of a margin or similarity column stands for, in cosine units: 2^-14, so that −2 to 2 fits 16 bits.
pub const MARGIN_STEP: f64 = 1.0 / 16384.0;

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Unsigned bytes.
    U8,
    /// Unsigned 16 bits.
    U16,
    /// Unsigned 32 bits.
    U32,
    /// Signed 16 bits.
    I16,
}

/// Some numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// What the bytes are.
    pub kind: ColumnKind,
    /// What one count stands for; 1 for counts and indices.
    pub step: f64,
    /// Little-endian, base64.
    pub data: String,
}

impl Column {
    /// Whole numbers, in the narrowest kind that holds them all.
    #[must_use]
    pub fn counts(values: &[u32]) -> Self {
        let (kind, bytes) = match values.iter().copied().max().unwrap_or(0) {
            0..=0xFF => (ColumnKind::U8, values.iter().map(|v| *v as u8).collect()),
            0x100..=0xFFFF => (ColumnKind::U16, values.iter().flat_map(|v| (*v as u16).to_le_bytes()).collect()),
            _ => (ColumnKind::U32, values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()),
        };
        Self { kind, step: 1.0, data: base64(&bytes) }
    }

    /// Cosines or differences of two, rounded to [`MARGIN_STEP`]. What is above 0 stays above 0, and nothing else gets
    /// there: a rounded margin tells passed from failed exactly.
    #[must_use]
    pub fn cosines(values: impl Iterator<Item = f64>) -> Self {
        let bytes: Vec<u8> = values.flat_map(|v| rounded(v).to_le_bytes()).collect();
        Self { kind: ColumnKind::I16, step: MARGIN_STEP, data: base64(&bytes) }
    }

    /// The numbers; none where the bytes are none.
    #[must_use]
    pub fn values(&self) -> Option<Vec<f64>> {
        let bytes = Base64::decode_to_vec(&self.data, None).ok()?;
        let width = match self.kind {
            ColumnKind::U8 => 1,
            ColumnKind::U16 | ColumnKind::I16 => 2,
            ColumnKind::U32 => 4,
        };
        let value = |b: &[u8]| match self.kind {
            ColumnKind::U8 => f64::from(b[0]),
            ColumnKind::U16 => f64::from(u16::from_le_bytes([b[0], b[1]])),
            ColumnKind::I16 => f64::from(i16::from_le_bytes([b[0], b[1]])),
            ColumnKind::U32 => f64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        };
        (bytes.len() % width == 0).then(|| bytes.chunks_exact(width).map(|b| value(b) * self.step).collect())
    }
}

fn rounded(value: f64) -> i16 {
    let nearest = (value / MARGIN_STEP).round();
    let kept = if value > 0.0 { nearest.max(1.0) } else { nearest.min(0.0) };
    kept.clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

fn base64(bytes: &[u8]) -> String {
    // Fails for lengths alone that no memory holds.
    Base64::encode_to_string(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn counts_come_back_in_the_narrowest_kind() {
        for (max, kind) in
            [(0, ColumnKind::U8), (255, ColumnKind::U8), (256, ColumnKind::U16), (65_536, ColumnKind::U32)]
        {
            let values = [0, max, 1.min(max)];
            let column = Column::counts(&values);
            assert_eq!(column.kind, kind);
            assert_eq!(column.values(), Some(values.iter().map(|v| f64::from(*v)).collect()));
        }
        assert_eq!(Column::counts(&[]).values(), Some(vec![]));
    }

    #[test]
    fn cosines_are_near_and_verdicts_exact() {
        let mut stream = Stream::new(7, "test", 0);
        let mut values: Vec<f64> = (0..5000).map(|_| stream.below(4_000_001) as f64 / 1e6 - 2.0).collect();
        values.extend([0.0, 1e-12, -1e-12, 2.0, -2.0, f64::MIN_POSITIVE]);
        let back = Column::cosines(values.iter().copied()).values().expect("own bytes");
        for (value, back) in values.iter().zip(&back) {
            assert_eq!(*value > 0.0, *back > 0.0, "{value} came back as {back}");
            assert!((value - back).abs() <= MARGIN_STEP, "{value} came back as {back}");
        }
    }

    #[test]
    fn bytes_that_are_none_are_refused() {
        let broken = |data: &str| Column { kind: ColumnKind::I16, step: 1.0, data: data.into() }.values();
        assert_eq!(broken("!!"), None);
        assert_eq!(broken("AAAA"), None, "three bytes are no 16-bit numbers");
    }
}
