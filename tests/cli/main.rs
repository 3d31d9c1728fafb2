//! Runs the program as a user does: arguments, files and environment in; exit status, output and files out.

mod adapter;
mod bench;
mod bundle;
mod capsule;
mod capsule_hostile;
mod capsule_keys;
mod capsule_verify;
mod compare;
mod completions;
mod config;
mod devices;
mod docs;
mod eval;
mod examples;
mod exchange;
mod faults;
mod folders;
mod global;
mod gpu;
mod guardrail;
mod import;
mod init;
#[cfg(unix)]
mod kill;
mod lost;
mod mine;
mod outputs;
mod pool;
mod pool_lineups;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod slurm;
mod split;
#[cfg(unix)]
mod sweep;
mod terminal;
#[cfg(unix)]
mod tracking;
mod util;
mod vectors;
mod web;
mod wrong_kind;
