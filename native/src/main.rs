//! The `crucible` command. All of it is in the library beside this file, so that tests can reach its parts.

#[global_allocator]
static MEMORY: crucible_cli::huge_pages::LargePages = crucible_cli::huge_pages::LargePages;

fn main() -> std::process::ExitCode {
    crucible_cli::main(std::env::args_os().collect())
}
