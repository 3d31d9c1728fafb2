//! `crucible serve`: the page that evaluates checkpoints, on an address of this machine.

mod export;
mod server;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::signals::Stop;
use crate::web_assets;
use serde::Serialize;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often a signal is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Opens the page in the browser
    #[arg(long)]
    pub open: bool,
    /// Writes the page to a folder, for any web host, and ends
    #[arg(long, value_name = "DIR", conflicts_with_all = ["port", "open"])]
    pub export: Option<PathBuf>,
}

/// Where the page is.
#[derive(Serialize)]
struct Served {
    url: String,
}

/// Serves until a signal comes.
///
/// # Errors
/// A program without the page, a port that is taken, a folder that can't be written.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    web_assets::required()?;
    if let Some(folder) = &args.export {
        return export::run(folder, ctx);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).map_err(|e| refused(args.port, &e))?;
    let port = listener.local_addr().map_err(|e| refused(args.port, &e))?.port();
    let stop = Stop::listen()?;
    server::start(listener, port).map_err(|e| refused(port, &e))?;
    let url = format!("http://127.0.0.1:{port}/");
    ctx.print(&Served { url: url.clone() }, &format!("The page is at {url}\n"))?;
    ctx.reporter.note("Ctrl-C ends it");
    if args.open && !open(&url) {
        ctx.reporter.warn(format!("no browser could be started; open {url} yourself"));
    }
    loop {
        if let Some(exit) = stop.exit() {
            return Ok(exit);
        }
        std::thread::sleep(LOOK);
    }
}

fn refused(port: u16, error: &io::Error) -> CliError {
    let failed = CliError::new(Exit::Error, format!("cannot serve on port {port} of 127.0.0.1: {error}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => failed.advise("another program has it; leave --port out to take a free one"),
        io::ErrorKind::PermissionDenied => failed.advise("use a port from 1024 on, or leave --port out"),
        _ => failed,
    }
}

/// Starts the user's browser; whether that went well.
fn open(url: &str) -> bool {
    let (program, arguments): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("rundll32", &["url.dll,FileProtocolHandler"]),
        _ => ("xdg-open", &[]),
    };
    let quiet = || Stdio::null();
    Command::new(program).args(arguments).arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().is_ok()
}
