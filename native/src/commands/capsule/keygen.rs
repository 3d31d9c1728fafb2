//! `crucible capsule keygen`.

use super::keys;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use minisign::KeyPair;
use serde_json::json;
use std::path::PathBuf;

const HELP: &str = "\
Keys are those of minisign, and either program reads the other's. The password comes from the terminal, or from the \
environment variable CRUCIBLE_SIGN_PASSWORD.

    crucible capsule keygen --output release
    crucible capsule pack runs/first --sign release.key
    crucible capsule verify first.capsule.tar.zst --public-key release.pub";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Where the keys go: NAME.key, which is to be kept secret, and NAME.pub
    #[arg(long, short, value_name = "NAME")]
    pub output: PathBuf,
    /// Makes a key that whoever has the file can sign with, such as for a build machine
    #[arg(long)]
    pub no_password: bool,
}

/// Makes a pair of keys.
///
/// # Errors
/// There are keys of that name; no password and nobody to ask; the folder can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let [secret, public] = ["key", "pub"].map(|end| {
        let mut name = args.output.clone().into_os_string();
        name.push(format!(".{end}"));
        PathBuf::from(name)
    });
    if let Some(there) = [&secret, &public].into_iter().find(|path| path.exists()) {
        let message = format!("{} is there already, and keys are not replaced", there.display());
        return Err(CliError::usage(message).advise("choose another --output"));
    }
    output::check_writable(&secret)?;
    let failed = |e: minisign::PError| CliError::new(Exit::Error, format!("can't make a key: {e}"));
    let pair = match args.no_password {
        true => KeyPair::generate_unencrypted_keypair(),
        false => KeyPair::generate_encrypted_keypair(Some(keys::new_password()?)),
    };
    let KeyPair { pk, sk } = pair.map_err(failed)?;
    let id = keys::id(pk.keynum());
    let comment = format!("minisign {}secret key {id}", if args.no_password { "" } else { "encrypted " });
    let secret_text = sk.to_box(Some(&comment)).map_err(failed)?.into_string();
    let public_text = pk.to_box().map_err(failed)?.into_string();
    output::write_secret(&secret, secret_text.as_bytes())?;
    output::write_file(&public, public_text.as_bytes())?;
    let [shown_secret, shown_public] = [&secret, &public].map(|path| path.display().to_string());
    let json = json!({"key_id": id, "secret_key": shown_secret, "public_key": shown_public, "public_key_text": pk.to_base64()});
    let text = format!("Key {id}\nSecret: {}\nPublic: {}: {}\n", secret.display(), public.display(), pk.to_base64());
    ctx.print(&json, &text)?;
    Ok(Exit::Success)
}
