//! `crucible config exposure`: is the legacy pool seen often enough, before a run is started?

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crucible_core::config::Config;
use crucible_core::curriculum::exposure::{Exposures, exposures};
use crucible_core::curriculum::{CELL_NAMES, CELLS, cell_sizes};
use crucible_core::data::read_bundles;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Counts the pools of these bundles; without it those that `data.bundles` names
    #[arg(long, value_name = "FILE", conflicts_with = "pool_sizes")]
    pub bundles: Option<PathBuf>,
    /// The sizes of the pools, such as legacy=454,organic=120,expanded=0; a pool that is not named is empty. Tiers that
    /// are not named (tier1_easy, tier2_robust) are taken to hold bundles; tier2_robust=0 says that one is empty
    #[arg(long, value_name = "SIZES", value_parser = parse_sizes)]
    pub pool_sizes: Option<PoolSizes>,
}

/// Bundles in each cell, in the order of [`CELL_NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSizes([u64; CELLS]);

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

fn sizes(args: &Args, config: &Config) -> CliResult<[u64; CELLS]> {
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

/// Bundles in each cell of a file.
fn count(path: &Path) -> CliResult<[u64; CELLS]> {
    let mut reader = io::open(path)?;
    Ok(cell_sizes(&read_bundles(&mut reader, &path.display().to_string())?))
}

fn parse_sizes(text: &str) -> Result<PoolSizes, String> {
    let mut sizes = [None; CELLS];
    for part in text.split(',') {
        let (name, size) = part.split_once('=').ok_or_else(|| format!("`{part}` is not NAME=SIZE"))?;
        let cell = CELL_NAMES
            .iter()
            .position(|known| *known == name.trim())
            .ok_or_else(|| format!("`{}` is no pool; the pools are legacy, organic, expanded", name.trim()))?;
        let size = size.trim().parse().map_err(|_| format!("`{}` is not a whole number", size.trim()))?;
        if sizes[cell].replace(size).is_some() {
            return Err(format!("{} is there twice", CELL_NAMES[cell]));
        }
    }
    // How many bundles the easier tiers hold changes nothing for tier3, as long as there are some.
    let [easy, robust, legacy, organic, expanded] = sizes;
    let pool = |size: Option<u64>| size.unwrap_or(0);
    Ok(PoolSizes([easy.unwrap_or(1), robust.unwrap_or(1), pool(legacy), pool(organic), pool(expanded)]))
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
        "\n{} steps × {} bundles × {:.4} of them tier3 × share / bundles in the pool",
        table.steps, table.batch_size, table.p_tier3
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_by_name() {
        assert_eq!(parse_sizes("organic=5,legacy=454"), Ok(PoolSizes([1, 1, 454, 5, 0])));
        assert_eq!(parse_sizes("legacy=454,tier2_robust=0"), Ok(PoolSizes([1, 0, 454, 0, 0])));
        for bad in ["legacy", "legacy=x", "core=5", "legacy=1,legacy=2", "", "legacy=-1"] {
            assert!(parse_sizes(bad).is_err(), "{bad}");
        }
    }
}
