//! The `crucible` command. All of it is in the library beside this file, so that tests can reach its parts.

fn main() -> std::process::ExitCode {
    crucible_cli::main(std::env::args_os().collect())
}
