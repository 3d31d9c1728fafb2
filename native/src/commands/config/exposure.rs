//! `crucible config exposure`: is the legacy pool seen often enough, before a run is started?

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crucible_core::config::Config;
use crucible_core::curriculum::exposure::{Exposures, exposures};
use crucible_core::data::{Pool, read_bundles};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Counts the pools of these bundles; without it those that `data.bundles` names
    #[arg(long, value_name = "FILE", conflicts_with = "pool_sizes")]
    pub bundles: Option<PathBuf>,
    /// The sizes of the pools, such as legacy=454,organic=120,expanded=0
    #[arg(long, value_name = "SIZES", value_parser = parse_sizes)]
    pub pool_sizes: Option<PoolSizes>,
}

/// Bundles in each pool, in the order of [`Pool::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSizes([u64; 3]);

/// Prints the table.
///
/// # Errors
/// Faults of the configuration or the bundles, or nothing says how large the pools are.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let config = ctx.config()?;
    let sizes = sizes(args, &config)?;
    let table = exposures(&config, sizes);
    for warning in &table.warnings {
        ctx.reporter.warn(warning);
    }
    ctx.print(&json!(table), &text(&table))?;
    Ok(Exit::Success)
}

fn sizes(args: &Args, config: &Config) -> CliResult<[u64; 3]> {
    if let Some(PoolSizes(sizes)) = args.pool_sizes {
        return Ok(sizes);
    }
    let named = args.bundles.clone().or_else(|| config.data.bundles.as_ref().map(PathBuf::from));
    let path = named.ok_or_else(|| {
        CliError::usage("nothing says how large the pools are")
            .advise("name bundles (--bundles FILE, or `data.bundles`) or sizes (--pool-sizes legacy=454,organic=120)")
    })?;
    // Before there are bundles, sizes alone will do; say so where there is no better hint.
    let hint = "name the pools' sizes instead: --pool-sizes legacy=454,organic=120";
    count(&path).map_err(|e| if e.exit == Exit::Error && e.advice.is_none() { e.advise(hint) } else { e })
}

/// Bundles of tier3 in each pool of a file.
fn count(path: &Path) -> CliResult<[u64; 3]> {
    let mut reader = io::open(path)?;
    let set = read_bundles(&mut reader, &path.display().to_string())?;
    Ok(set.pool_counts().map(|count| count as u64))
}

fn parse_sizes(text: &str) -> Result<PoolSizes, String> {
    let mut sizes = [None; 3];
    for part in text.split(',') {
        let (name, size) = part.split_once('=').ok_or_else(|| format!("`{part}` is not NAME=SIZE"))?;
        let pool = Pool::ALL
            .into_iter()
            .find(|pool| pool.name() == name.trim())
            .ok_or_else(|| format!("`{}` is no pool; the pools are legacy, organic, expanded", name.trim()))?;
        let size = size.trim().parse().map_err(|_| format!("`{}` is not a whole number", size.trim()))?;
        if sizes[pool.index()].replace(size).is_some() {
            return Err(format!("{} is there twice", pool.name()));
        }
    }
    Ok(PoolSizes(sizes.map(|size| size.unwrap_or(0))))
}

fn text(table: &Exposures) -> String {
    let mut out = String::from("pool       bundles   share   exposures per bundle\n");
    for row in &table.pools {
        let exposure = row.expected.map_or_else(|| "-".to_owned(), |e| format!("{e:.1}"));
        let status = row.status.map(|s| format!("  {}", s.name())).unwrap_or_default();
        let _ = writeln!(out, "{:<9} {:>8}  {:>6.4}   {exposure:>8}{status}", row.pool.name(), row.size, row.share);
    }
    let _ = writeln!(
        out,
        "\n{} steps × {} bundles × {:.4} tier3 × share / bundles in the pool",
        table.steps, table.batch_size, table.p_tier3
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_by_name() {
        assert_eq!(parse_sizes("organic=5,legacy=454"), Ok(PoolSizes([454, 5, 0])));
        for bad in ["legacy", "legacy=x", "core=5", "legacy=1,legacy=2", "", "legacy=-1"] {
            assert!(parse_sizes(bad).is_err(), "{bad}");
        }
    }
}
