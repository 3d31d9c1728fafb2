//! The frontier of two rates that should both be high.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Retention and generalisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Pass rate on the frozen eval's hardest tier.
    pub retention: f64,
    /// Pass rate on the organic holdout.
    pub generalisation: f64,
}

impl From<[f64; 2]> for Point {
    fn from([retention, generalisation]: [f64; 2]) -> Self {
        Self { retention, generalisation }
    }
}

/// Where a condition's mean may lie: the ellipse that holds so large a share of a normal cloud like that of the resamples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ellipse {
    /// Share of the cloud.
    pub level: f64,
    /// Half axes, the longer first.
    pub half_axes: [f64; 2],
    /// Angle of the longer one from the axis of retention, in radians.
    pub angle: f64,
    /// Covariance of retention and generalisation.
    pub covariance: [[f64; 2]; 2],
}

/// The area that the frontier dominates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hypervolume {
    /// Area between reference and frontier.
    pub value: f64,
    /// Interval over seeds and groups.
    pub ci95: crate::estimate::Interval,
    /// What counts as nothing: chance.
    pub reference: Point,
}

/// Which points no other one beats: at least as high in both and higher in one.
pub(crate) fn frontier(points: &[[f64; 2]]) -> Vec<bool> {
    let beats = |a: &[f64; 2], b: &[f64; 2]| a[0] >= b[0] && a[1] >= b[1] && (a[0] > b[0] || a[1] > b[1]);
    points.iter().map(|p| !points.iter().any(|other| beats(other, p))).collect()
}

/// The point of the frontier that lies farthest beyond the line between its ends, both axes scaled to what the frontier
/// spans; none where nothing lies beyond.
pub(crate) fn knee(points: &[[f64; 2]]) -> Option<usize> {
    let on = frontier(points);
    let mut ends: Vec<usize> = (0..points.len()).filter(|i| on[*i]).collect();
    ends.sort_by(|a, b| points[*a][0].total_cmp(&points[*b][0]));
    let (first, last) = (points[*ends.first()?], points[*ends.last()?]);
    let (width, height) = (last[0] - first[0], first[1] - last[1]);
    if width <= 0.0 || height <= 0.0 {
        return None;
    }
    // On the line from (0, 1) to (1, 0), both coordinates sum to 1.
    let beyond = |i: &usize| (points[*i][0] - first[0]) / width + (points[*i][1] - last[1]) / height - 1.0;
    let best = ends.iter().copied().max_by(|a, b| beyond(a).total_cmp(&beyond(b)))?;
    (beyond(&best) > 1e-12).then_some(best)
}

/// The area that the points dominate above `reference`.
pub(super) fn hypervolume(points: &[[f64; 2]], reference: [f64; 2]) -> f64 {
    let mut sorted: Vec<[f64; 2]> =
        points.iter().copied().filter(|p| p[0] > reference[0] && p[1] > reference[1]).collect();
    sorted.sort_by(|a, b| b[0].total_cmp(&a[0]).then(b[1].total_cmp(&a[1])));
    let (mut area, mut height) = (0.0, reference[1]);
    for [x, y] in sorted {
        if y > height {
            area += (x - reference[0]) * (y - height);
            height = y;
        }
    }
    area
}

/// The ellipse of a cloud. Of a two-dimensional normal, the squared distance follows χ² with two degrees of freedom, whose
/// quantile is −2 ln(1 − level).
pub(crate) fn ellipse(cloud: &[[f64; 2]], level: f64) -> Ellipse {
    let n = cloud.len() as f64;
    let mean = [0, 1].map(|d| cloud.iter().map(|p| p[d]).sum::<f64>() / n);
    let covariance = [0, 1].map(|a| {
        [0, 1].map(|b| cloud.iter().map(|p| (p[a] - mean[a]) * (p[b] - mean[b])).sum::<f64>() / (n - 1.0).max(1.0))
    });
    let [[a, b], [_, d]] = covariance;
    let middle = f64::midpoint(a, d);
    let apart = (0.5 * (a - d)).hypot(b);
    let scale = -2.0 * (1.0 - level).ln();
    let half = |eigenvalue: f64| (scale * eigenvalue.max(0.0)).sqrt();
    Ellipse {
        level,
        half_axes: [half(middle + apart), half(middle - apart)],
        angle: 0.5 * (2.0 * b).atan2(a - d),
        covariance,
    }
}
