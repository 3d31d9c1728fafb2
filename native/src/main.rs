//! The `crucible` command. All of it is in the library beside this file, so that tests can reach its parts.

#[global_allocator]
static MEMORY: crucible_cli::huge_pages::LargePages = crucible_cli::huge_pages::LargePages;

#[expect(unsafe_code, reason = "to set a variable has no safe form")]
fn main() -> std::process::ExitCode {
    // SAFETY: no other thread was started yet.
    unsafe { crucible_cli::display::ask_for_none() };
    crucible_cli::main(std::env::args_os().collect())
}
