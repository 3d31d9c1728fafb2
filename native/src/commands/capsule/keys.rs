//! Keys and signatures in minisign's format: Ed25519 over the BLAKE2b hash of the capsule's bytes.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crucible_core::capsule::Signature;
use ct_codecs::{Base64, Decoder};
use minisign::{PublicKey, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};
use std::fs::File;
use std::io::{IsTerminal, Read, Seek};
use std::path::{Path, PathBuf};

/// Where a password comes from when there is nobody to ask.
pub(super) const PASSWORD: &str = "CRUCIBLE_SIGN_PASSWORD";
/// Keys and signatures are a few hundred bytes.
const MAX_KEY_BYTES: usize = 16 << 10;
/// How the second line of a secret key begins, with and without a password: algorithm, key derivation, checksum.
const ENCRYPTED: &str = "RWRTY0Iy";
const PLAIN: &str = "RWQAAEIy";
/// At the end of a secret key.
const CHECKSUM_BYTES: usize = 32;
/// 64 bytes in base64.
const GLOBAL_SIGNATURE_CHARS: usize = 88;

/// `F` to `F.minisig`.
pub(super) fn signature_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(minisign::SIG_SUFFIX);
    PathBuf::from(name)
}

/// A key's number, as minisign prints it.
pub(super) fn id(keynum: &[u8]) -> String {
    keynum.iter().rev().map(|b| format!("{b:02X}")).collect()
}

/// Reads a secret key; for its password the environment is asked, then the user.
pub(super) fn secret_key(path: &Path) -> CliResult<SecretKey> {
    let text = io::read_text(path, MAX_KEY_BYTES)?;
    let key = text.lines().nth(1).unwrap_or_default().trim();
    let shown = path.display();
    let damaged = |e: minisign::PError| CliError::usage(format!("{shown} is a damaged secret key: {e}"));
    if key.starts_with(PLAIN) {
        let bytes = Base64::decode_to_vec(key, None).unwrap_or_default();
        // minisign writes no checksum where there is no password, and the library insists on one. Signing compares the
        // key's two halves in any case.
        match bytes.last_chunk::<CHECKSUM_BYTES>() == Some(&[0; CHECKSUM_BYTES]) {
            true => SecretKey::from_bytes(&bytes).map_err(damaged),
            false => SecretKeyBox::from(text).into_unencrypted_secret_key().map_err(damaged),
        }
    } else if key.starts_with(ENCRYPTED) {
        let password = password(&format!("Password of {shown}: "))?;
        SecretKeyBox::from(text)
            .into_secret_key(Some(password))
            .map_err(|e| CliError::usage(format!("{shown} can't be opened: {e}")))
    } else {
        let advice = "name the secret key that `crucible capsule keygen` or `minisign -G` wrote";
        Err(CliError::usage(format!("{shown} is no secret key of minisign")).advise(advice))
    }
}

/// The password of the environment, or one that is typed.
fn password(prompt: &str) -> CliResult<String> {
    if let Ok(password) = std::env::var(PASSWORD) {
        return Ok(password);
    }
    ask(prompt)
}

fn ask(prompt: &str) -> CliResult<String> {
    let nobody = || {
        CliError::usage("the secret key has a password, and there is no terminal to ask for it")
            .advise(format!("set {PASSWORD}, or use a key without one"))
    };
    if !std::io::stderr().is_terminal() {
        return Err(nobody());
    }
    rpassword::prompt_password(prompt).map_err(|_| nobody())
}

/// A password for a new key; typed twice.
pub(super) fn new_password() -> CliResult<String> {
    let password = match std::env::var(PASSWORD) {
        Ok(password) => password,
        Err(_) => {
            let password = ask("Password for the secret key: ")?;
            if ask("The same again: ")? != password {
                return Err(CliError::usage("the two passwords differ; no key was made"));
            }
            password
        }
    };
    match password.is_empty() {
        true => Err(CliError::usage("the password is empty").advise("a key without a password takes --no-password")),
        false => Ok(password),
    }
}

/// Reads a public key: a file, or the key itself.
pub(super) fn public_key(text: &str) -> CliResult<PublicKey> {
    let path = Path::new(text);
    let key = match path.exists() {
        true => PublicKeyBox::from(io::read_text(path, MAX_KEY_BYTES)?).into_public_key(),
        false => PublicKey::from_base64(text),
    };
    key.map_err(|_| {
        CliError::usage(format!("--public-key {text}: neither a file with a public key of minisign nor the key itself"))
            .advise("name the .pub file, or give its second line")
    })
}

/// Signs what `reader` holds.
pub(super) fn sign(key: &SecretKey, reader: impl Read, trusted_comment: &str) -> CliResult<String> {
    let failed = |e: minisign::PError| CliError::new(Exit::Error, format!("can't sign: {e}"));
    let public = PublicKey::from_secret_key(key).map_err(failed)?;
    let comment = format!("signature of a Crucible capsule by key {}", id(key.keynum()));
    minisign::sign(Some(&public), key, reader, Some(trusted_comment), Some(&comment))
        .map(SignatureBox::into_string)
        .map_err(failed)
}

/// Checks the signature of a file, which is at its start before and after.
pub(super) fn verify(path: &Path, file: &mut File, signature: &Path, key: &PublicKey) -> CliResult<Signature> {
    let bad = |message: String| CliError::new(Exit::Data, message).advise("nothing of it was kept; ask who sent it");
    let (shown, beside) = (path.display(), signature.display());
    if !signature.exists() {
        let message = format!("{shown} is not signed: there is no {beside}");
        return Err(CliError::new(Exit::Data, message).advise("name the signature with --signature"));
    }
    let text = io::read_text(signature, MAX_KEY_BYTES)?;
    let read = SignatureBox::from_string(&text).ok();
    // The library takes for granted that the last line decodes to 64 bytes.
    let whole = text.lines().nth(3).is_some_and(|line| line.trim().len() == GLOBAL_SIGNATURE_CHARS);
    let Some(found) = read.filter(|_| whole) else { return Err(bad(format!("{beside} is no signature of minisign"))) };
    if found.keynum() != key.keynum() {
        let (by, wanted) = (id(found.keynum()), id(key.keynum()));
        return Err(bad(format!("{shown} was signed with the key {by}, and not with {wanted}")));
    }
    if !found.is_prehashed() {
        return Err(bad(format!("{beside} is of minisign's old kind, which is not accepted")).advise("sign it anew"));
    }
    minisign::verify(key, &found, &*file, true, false, false).map_err(|_| {
        bad(format!(
            "the signature {beside} does not hold: {shown} or the signature was changed, or another key made it"
        ))
    })?;
    file.rewind().map_err(|e| CliError::io("read", path, &e))?;
    let trusted_comment = found.trusted_comment().unwrap_or_default();
    let trusted_comment = trusted_comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Ok(Signature { key_id: id(found.keynum()), trusted_comment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_lies_beside() {
        assert_eq!(signature_beside(Path::new("a/b.tar.zst")), Path::new("a/b.tar.zst.minisig"));
    }

    #[test]
    fn numbers_of_keys_are_written_from_the_last_byte() {
        assert_eq!(id(&[1, 2, 3, 4, 5, 6, 7, 0xab]), "AB07060504030201");
    }
}
