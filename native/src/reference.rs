//! The command line as a document: `docs/CLI.md`.

use crate::cli::Cli;
use crate::formats::markdown_cell;
use clap::{Arg, Command, CommandFactory};
use std::fmt::Write as _;

const HEAD: &str = "\
# Command line

Generated from the program: `crucible COMMAND --help` prints the same, `crucible man` makes manual pages of it, and
`crucible completions SHELL` a script for bash, zsh, fish, elvish or PowerShell.

";

/// All commands with their flags, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut out = String::from(HEAD);
    let _ = writeln!(out, "{}\n", root.get_after_long_help().map(ToString::to_string).unwrap_or_default());
    out += "| command | does |\n| --- | --- |\n";
    contents(&root, &mut out);
    out += "\n## Flags of every command\n\n";
    flags(root.get_arguments().filter(|arg| arg.is_global_set()), &mut out);
    for command in shown(&root) {
        section(command, &mut out);
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|c| !c.is_hide_set())
}

/// As it is typed.
fn name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

fn contents(command: &Command, out: &mut String) {
    for inner in shown(command) {
        if shown(inner).next().is_none() {
            let about = inner.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(
                out,
                "| [`{}`](#{}) | {} |",
                name(inner),
                name(inner).replace(' ', "-"),
                markdown_cell(&about)
            );
        }
        contents(inner, out);
    }
}

fn section(command: &Command, out: &mut String) {
    if shown(command).next().is_some() {
        shown(command).for_each(|inner| section(inner, out));
        return;
    }
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, "\n## `{}`\n\n{}\n", name(command), about.trim());
    let usage = command.clone().render_usage().to_string();
    let _ = writeln!(out, "```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
    flags(command.get_arguments().filter(|arg| !arg.is_global_set()), out);
    if let Some(after) = command.get_after_long_help().or(command.get_after_help()) {
        let _ = writeln!(out, "\n{after}");
    }
}

fn flags<'a>(args: impl Iterator<Item = &'a Arg>, out: &mut String) {
    let mut rows = String::new();
    for arg in args.filter(|a| !a.is_hide_set() && a.get_id() != "help" && a.get_id() != "version") {
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        // Bars part cells in code, too: `FILE|DIR`.
        let cells = [spelled(arg), default(arg), help].map(|cell| markdown_cell(&cell));
        let _ = writeln!(rows, "| {} |", cells.join(" | "));
    }
    if !rows.is_empty() {
        let _ = write!(out, "| argument | default | meaning |\n| --- | --- | --- |\n{rows}");
    }
}

fn spelled(arg: &Arg) -> String {
    let takes = arg.get_num_args().is_some_and(|n| n.takes_values());
    let values =
        arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let value = if takes { format!(" {values}") } else { String::new() };
    match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("`-{short}`, `--{long}{value}`"),
        (None, Some(long)) => format!("`--{long}{value}`"),
        (Some(short), None) => format!("`-{short}{value}`"),
        (None, None) => format!("`{values}`"),
    }
}

fn default(arg: &Arg) -> String {
    if arg.is_required_set() {
        return "required".to_owned();
    }
    let takes = arg.get_num_args().is_some_and(|n| n.takes_values());
    let values: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
    let mut out = if takes && !values.is_empty() { format!("`{}`", values.join(",")) } else { String::new() };
    let possible: Vec<String> = match takes {
        true => arg.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect(),
        false => Vec::new(),
    };
    if !possible.is_empty() {
        let gap = if out.is_empty() { "" } else { "; " };
        out += &format!("{gap}one of {}", possible.join(", "));
    }
    out
}
