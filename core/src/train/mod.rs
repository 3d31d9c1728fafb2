//! Training: batches, the step, the loop, and the state to resume from.

mod batch;
mod dense;
mod device;
mod engine;
mod rows;
mod schedule;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod trainer;

pub(crate) use batch::group_by_row;
pub use batch::{Batch, Batcher, number_senses};
pub use device::DeviceTrainee;
pub use engine::{Engine, Start, cpu};
pub use schedule::learning_rate;
pub use state::StateError;
pub use step::{Hyper, Moments, Optimizer, StepStats, Trainee};
pub use trainer::{Metrics, Observer, Outcome, State, TrainError, Watch, Window, train, train_on};
