//! Reports: all that a folder of results says, in one document that a page can show without computing a statistic.
//!
//! [`build`] takes runs with their scoreboards and items and makes a [`Report`]: items as quantised [`Column`]s, every axis
//! that runs can be compared on ([`Measure`]) with intervals, what any two axes say together ([`Plane`]), changes against a
//! baseline, cliffs in the course of training, exposures and findings. Frozen and organic truth stay apart throughout: no
//! number here is made of both.

mod build;
mod columns;
mod document;
mod items;
mod landscape;
mod measures;
mod sections;
#[cfg(test)]
mod tests;
mod texts;
mod versus;

pub use build::{BoardInput, EvalTexts, Input, RunInput, build};
pub use columns::{Column, ColumnKind, MARGIN_STEP};
pub use document::{
    Board, Change, Cliff, Condition, Difference, EvalItems, LabelledFinding, Landscape, Measure, Missing, Plane,
    PlanePoint, Point, Range, Report, Run, Section, SectionKind, Setting, Statistic, Subset, TrainingPoint, VERSION,
    View,
};
pub use landscape::LandscapeSettings;
pub use texts::{MAX_TEXT_BYTES, MAX_TEXT_CHARS, Texts};
