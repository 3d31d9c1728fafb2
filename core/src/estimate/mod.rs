//! How sure a number is: quantiles, Wilson's interval of a share, the bootstrap by group, several tests at once.
//!
//! It knows nothing of bundles or models; [`crate::eval`], [`crate::stats`] and [`crate::sweep`] stand on it.

mod bootstrap;
mod holm;
mod interval;
mod normal;
mod quantile;

pub use bootstrap::{BCA_BY_GROUP, Bca, bca, replicates};
pub use holm::holm;
pub use interval::{Interval, LEVEL, METHOD, Z, wilson};
pub(crate) use normal::{normal_cdf, normal_quantile};
pub use quantile::quantile;
