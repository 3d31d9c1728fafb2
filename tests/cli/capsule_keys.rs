//! Signatures of capsules, and the keys for them.

use crate::capsule::trained;
use crate::util::{Dir, finish};

fn signed() -> Dir {
    let dir = trained();
    for name in ["ours", "theirs"] {
        dir.run(&["capsule", "keygen", "--output", name, "--no-password"]).ok();
    }
    dir.run(&["capsule", "pack", "run", "-o", "c.tar.zst", "--sign", "ours.key"]).ok();
    dir
}

#[test]
fn signatures() {
    let dir = signed();
    let verify = |key: &str| dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", key]);
    let ran = verify("ours.pub");
    assert!(ran.ok().contains("ok     signature") && ran.stdout.contains("The capsule holds."), "{ran:?}");
    let text = dir.read("ours.pub").lines().nth(1).expect("a key").to_owned();
    assert!(verify(&text).ok().contains("file:c.tar.zst"));
    let unasked = dir.run(&["capsule", "verify", "c.tar.zst"]);
    assert!(unasked.stderr.contains("c.tar.zst.minisig was not looked at"), "{unasked:?}");

    // Each of these also stops an unpacking.
    let refused = |key: &str, part: &str| {
        let ran = verify(key);
        assert!(ran.failed(3).contains(part), "{part}: {ran:?}");
        let ran = dir.run(&["capsule", "unpack", "c.tar.zst", "-o", "out", "--public-key", key]);
        assert!(ran.failed(3).contains(part) && !dir.path().join("out").exists(), "{part}: {ran:?}");
    };
    refused("theirs.pub", "was signed with the key");
    // Another key under the same number.
    let key = |name: &str| {
        let text = minisign::PublicKeyBox::from(dir.read(name));
        text.into_public_key().expect("a key").to_bytes()
    };
    let forged = [&key("ours.pub")[..10], &key("theirs.pub")[10..]].concat();
    let forged = minisign::PublicKey::from_bytes(&forged).expect("a key").to_base64();
    refused(&forged, "does not hold");
    let signature = dir.read("c.tar.zst.minisig");
    for (change, part) in [
        (signature.replace("file:c.tar.zst", "file:d.tar.zst"), "does not hold"),
        ("untrusted comment: x\n".to_owned(), "is no signature of minisign"),
        (signature.lines().take(3).map(|l| format!("{l}\n")).collect(), "is no signature of minisign"),
        // Too short for what the library takes for granted.
        (signature.lines().take(3).map(|l| format!("{l}\n")).collect::<String>() + "AAAA\n", "is no signature"),
        (String::new(), "is no signature of minisign"),
    ] {
        dir.file("c.tar.zst.minisig", &change);
        refused("ours.pub", part);
    }
    dir.file("c.tar.zst.minisig", &signature);
    verify("ours.pub").ok();
    // One byte of the archive.
    let path = dir.path().join("c.tar.zst");
    let whole = std::fs::read(&path).expect("reads");
    let mut other = whole.clone();
    other[whole.len() / 2] ^= 1;
    std::fs::write(&path, other).expect("writes");
    refused("ours.pub", "does not hold");
    std::fs::write(&path, &whole).expect("writes");
    std::fs::rename(dir.path().join("c.tar.zst.minisig"), dir.path().join("moved")).expect("moves");
    refused("ours.pub", "is not signed: there is no c.tar.zst.minisig");
    dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", "ours.pub", "--signature", "moved"]).ok();
    assert!(verify("nowhere.pub").failed(2).contains("neither a file"));
    assert!(verify("ours.key").failed(2).contains("neither a file"));
}

#[test]
fn a_signature_does_not_outlive_what_it_signed() {
    let dir = signed();
    let pack = ["capsule", "pack", "run", "-o", "c.tar.zst", "--packed-at", "noon"];
    assert!(dir.run(&pack).failed(2).contains("c.tar.zst.minisig signs what c.tar.zst held so far"));
    dir.run(&[&pack[..], &["--sign", "ours.key", "--force"]].concat()).ok();
    let ran = dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", "ours.pub"]);
    assert!(ran.ok().contains("packed_at:noon"), "{ran:?}");
}

#[test]
fn keys_with_a_password() {
    let dir = trained();
    let with = |password: Option<&str>, args: &[&str]| {
        let mut command = dir.command(args);
        command.env_remove("CRUCIBLE_SIGN_PASSWORD").stdin(std::process::Stdio::null());
        if let Some(password) = password {
            command.env("CRUCIBLE_SIGN_PASSWORD", password);
        }
        finish(&mut command)
    };
    let keygen = ["capsule", "keygen", "--output", "k"];
    assert!(with(None, &keygen).failed(2).contains("set CRUCIBLE_SIGN_PASSWORD"));
    assert!(with(Some(""), &keygen).failed(2).contains("--no-password"));
    with(Some("open sesame"), &keygen).ok();
    assert!(with(Some("open sesame"), &keygen).failed(2).contains("keys are not replaced"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join("k.key")).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "a secret is for its owner alone");
    }
    let pack = ["capsule", "pack", "run", "-o", "c.tar.zst", "--sign", "k.key"];
    assert!(with(None, &pack).failed(2).contains("has a password"));
    assert!(with(Some("wrong"), &pack).failed(2).contains("can't be opened"));
    assert!(!dir.path().join("c.tar.zst").exists());
    with(Some("open sesame"), &pack).ok();
    dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", "k.pub"]).ok();
    let ran = dir.run(&["capsule", "pack", "run", "-o", "d.tar.zst", "--sign", "k.pub"]);
    assert!(ran.failed(2).contains("is no secret key of minisign"), "{ran:?}");
}

/// Written by minisign 0.11 (`minisign -G -W`, `minisign -S -t file:text`): a key without a password, what it signed.
mod of_minisign {
    pub(super) const TEXT: &str = "signed by minisign 0.11\n";
    pub(super) const SECRET: &str = "untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAmmY/rHzDGU6fo9RxaMOduFoDrLwWUeiHwCKyAk3pGqqOvJ+gEaEW3bYzx1w97E+plM7E1F8eX8E/uXbUlDTAdbKSyVqQ4jwWAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
";
    pub(super) const PUBLIC: &str = "RWSaZj+sfMMZTrYzx1w97E+plM7E1F8eX8E/uXbUlDTAdbKSyVqQ4jwW";
    pub(super) const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUSaZj+sfMMZTpBhVGHSllUqb7/fKYRNauYMZwUx1IEO45iM/T5hb4oxDW49261SGMCi9nfxvMXJK2vvlEyz4fsCF8H7ZCml2AQ=
trusted comment: file:text
p+LU/NOv6mxqucRwTJJf5phF1ggKWaq5vLd9vikzN6zXuD9CnOGNFGS9iDZsJmKKPaAfJTDbHPHmjPdzvrzrBg==
";
    pub(super) const OLD_KIND: &str = "untrusted comment: signature from minisign secret key
RWSaZj+sfMMZTmy1Rm7Ql+kfTl6TkZngtna66fh96MoM1JzajzF1v8/Rd0geH3gXGabb0ZMSOQjXB4a3CYFDOOXswkdj4Fri2Qs=
trusted comment: timestamp:1795521967\tfile:text
cSLdyUxGMMtknbm6Yz1See/ttMRLdIOq9xL201HwYWuSQkulEqEQdjzfln7iqrt9pMtTZrM2U5rNVH4x04apDw==
";
}

#[test]
fn keys_and_signatures_of_minisign_are_read() {
    let dir = trained();
    dir.file("m.key", of_minisign::SECRET);
    dir.run(&["capsule", "pack", "run", "-o", "c.tar.zst", "--sign", "m.key"]).ok();
    let ran = dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", of_minisign::PUBLIC, "--json"]);
    assert_eq!(ran.json()["signature"]["key_id"], "4E19C37CAC3F669A", "as minisign prints it");
    // A key whose halves don't belong together signs nothing.
    let damaged = of_minisign::SECRET.replacen("zUW3bYzx1w", "", 1).replacen("bYzx1w97", "bYzx1w98", 1);
    dir.file("damaged.key", &damaged);
    dir.run(&["capsule", "pack", "run", "-o", "d.tar.zst", "--sign", "damaged.key"]).failed(1);
    assert!(!dir.path().join("d.tar.zst").exists());

    dir.file("text", of_minisign::TEXT);
    let verify = |signature: &str| {
        dir.file("text.minisig", signature);
        dir.run(&["capsule", "verify", "text", "--public-key", of_minisign::PUBLIC]).failed(3).to_owned()
    };
    assert!(
        verify(of_minisign::SIGNATURE).contains("text: it is no capsule"),
        "the signature holds, the rest does not"
    );
    assert!(verify(of_minisign::OLD_KIND).contains("old kind"));
    dir.file("text", "another text\n");
    assert!(verify(of_minisign::SIGNATURE).contains("does not hold"));
}
