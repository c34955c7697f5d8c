//! What is not signed by somebody who is accepted, or not for this machine, is not taken.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a helper that cannot do its work fails the test"
)]

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer, SigningKey};
use jlsys::key::KeyInputs;
use serde_json::{Value, json};

use crate::machine::{Machine, copy_of_remote, image};

/// What an envelope has in it.
pub fn payload(envelope: &Value) -> Value {
    serde_json::from_slice(&BASE64.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
}

fn entry_file(remote: &Path, key: &str) -> std::path::PathBuf {
    remote.join(format!("entries/{key}.json"))
}

fn read(remote: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(entry_file(remote, &image().key)).unwrap()).unwrap()
}

/// Puts the image's description, changed, under its own key into the remote, signed as a careless signer would.
fn change(remote: &Path, change: impl FnOnce(&mut Value)) {
    let mut manifest = payload(&read(remote));
    change(&mut manifest);
    sign(remote, &image().key, &manifest);
}

/// The same for changed inputs, with the key that belongs to them, and under it. Gives the key.
pub fn resigned(remote: &Path, change: impl FnOnce(&mut Value)) -> String {
    let mut manifest = payload(&read(remote));
    change(&mut manifest);
    let inputs: KeyInputs = serde_json::from_value(manifest["inputs"].clone()).unwrap();
    let key = inputs.key().to_string();
    manifest["key"] = json!(key);
    manifest["report"]["key"] = json!(key);
    sign(remote, &key, &manifest);
    key
}

/// By the specification of the envelope, not by the code that is tested.
fn sign(remote: &Path, name: &str, manifest: &Value) {
    let kind = "application/vnd.jlsys.entry+json";
    let content = serde_json::to_vec(manifest).unwrap();
    let secret = std::fs::read_to_string(&image().secret_file).unwrap();
    let seed = BASE64.decode(secret.trim().strip_prefix("jlsys-secret-ed25519:").unwrap()).unwrap();
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), content.len()).into_bytes();
    message.extend_from_slice(&content);
    let signature = SigningKey::from_bytes(&seed.try_into().unwrap()).sign(&message).to_bytes();
    let envelope = json!({
        "payloadType": kind,
        "payload": BASE64.encode(content),
        "signatures": [{"keyid": read(remote)["signatures"][0]["keyid"], "sig": BASE64.encode(signature)}],
    });
    std::fs::write(entry_file(remote, name), envelope.to_string()).unwrap();
}

#[track_caller]
fn expect_refused(remote: &Path, args: &[&str], words: &[&str]) {
    Machine::with_remote(remote.to_str().unwrap()).expect_pull_refused(args, words);
}

#[test]
fn a_signature_by_another_key() {
    let machine = Machine::new();
    let secret = machine.shim.project.outside("other.key");
    let keygen = ["cache", "keygen", "--output", secret.to_str().unwrap()];
    let public = machine.jlsys(&keygen).expect_status(0).stdout();
    let machine = machine.env("JLSYS_REMOTE_URL", image().remote.to_str().unwrap());
    let words = ["is not accepted", "none of the keys"];
    machine.expect_pull_refused(&["--accept", public.trim()], &words);
    // The build says so, and goes on.
    let machine = machine.env("JLSYS_REMOTE_KEYS", public.trim());
    let report = machine.build();
    assert_eq!((report["outcome"].as_str(), machine.built()), (Some("built"), 1));
    assert!(words.iter().all(|word| report["warnings"].to_string().contains(word)), "{report:#}");
}

#[test]
fn no_key_is_accepted() {
    let machine = Machine::new().env("JLSYS_REMOTE_URL", image().remote.to_str().unwrap());
    machine.expect_pull_refused(&[], &["no image", "JLSYS_REMOTE_KEYS", "no public key"]);
}

#[test]
fn a_description_that_was_changed_after_it_was_signed() {
    let remote = copy_of_remote();
    let mut envelope = read(remote.path());
    let mut manifest = payload(&envelope);
    manifest["report"]["warnings"] = json!(["all is well"]);
    envelope["payload"] = json!(BASE64.encode(serde_json::to_vec(&manifest).unwrap()));
    std::fs::write(entry_file(remote.path(), &image().key), envelope.to_string()).unwrap();
    expect_refused(remote.path(), &[], &["is not accepted", "changed after it was signed"]);
}

#[test]
fn a_description_that_nobody_signed_or_that_is_none() {
    for text in ["", "{}", "not json", "{\"payloadType\":\"\",\"payload\":\"\",\"signatures\":[]}"] {
        let remote = copy_of_remote();
        std::fs::write(entry_file(remote.path(), &image().key), text).unwrap();
        expect_refused(remote.path(), &[], &["is not accepted"]);
    }
}

#[test]
fn a_description_that_names_a_file_elsewhere() {
    for name in ["../../x", "/etc/passwd", "logs/../../x", "entry.json", "cpus/x.json", ""] {
        let remote = copy_of_remote();
        change(remote.path(), |manifest| manifest["files"][1]["name"] = json!(name));
        expect_refused(remote.path(), &[], &["is not used", &format!("{name:?}"), "no file of an image"]);
    }
}

#[test]
fn a_description_whose_sizes_make_no_sense() {
    for (field, value) in [("size", json!(1)), ("size", json!(u64::MAX)), ("stored_size", json!(u64::MAX))] {
        let remote = copy_of_remote();
        change(remote.path(), |manifest| manifest["files"][0]["pieces"][0][field] = value);
        expect_refused(remote.path(), &[], &["is not used", "make no sense"]);
    }
}

#[test]
fn a_description_with_another_digest_of_the_whole() {
    let remote = copy_of_remote();
    change(remote.path(), |manifest| manifest["files"][0]["sha256"] = json!("0".repeat(64)));
    expect_refused(remote.path(), &[], &["sys.so", "was signed"]);
}

#[test]
fn a_description_of_another_format() {
    let remote = copy_of_remote();
    change(remote.path(), |manifest| manifest["format"] = json!(99));
    expect_refused(remote.path(), &[], &["another version of jlsys"]);
}

#[test]
fn a_description_with_a_key_that_is_not_the_hash_of_its_inputs() {
    let remote = copy_of_remote();
    change(remote.path(), |manifest| manifest["inputs"]["time_limit"] = json!(1.0));
    expect_refused(remote.path(), &[], &["not the hash"]);
}

#[test]
fn a_description_of_another_image_in_the_place_of_this() {
    let remote = copy_of_remote();
    let other = resigned(remote.path(), |manifest| manifest["inputs"]["time_limit"] = json!(1.0));
    std::fs::rename(entry_file(remote.path(), &other), entry_file(remote.path(), &image().key)).unwrap();
    expect_refused(remote.path(), &[], &["another image", &other[..12]]);
}

#[test]
fn an_image_for_another_julia_or_another_cpu() {
    let remote = copy_of_remote();
    let version =
        resigned(remote.path(), |manifest| manifest["inputs"]["julia"]["version"] = json!("1.99.0"));
    expect_refused(remote.path(), &["--key", &version], &["Julia 1.99.0"]);
    let build = resigned(remote.path(), |manifest| {
        manifest["inputs"]["julia"]["base_image"] = json!("0".repeat(64));
    });
    expect_refused(remote.path(), &["--key", &build], &["another build of Julia"]);
    let cpu = resigned(remote.path(), |manifest| manifest["inputs"]["host_cpu"] = json!("Imaginary-1-2-3"));
    expect_refused(remote.path(), &["--key", &cpu], &["Imaginary-1-2-3"]);
}

#[test]
fn an_image_that_does_not_start_here() {
    // Signed, whole, and for this Julia; but no image. As one for other CPUs it is not kept.
    let remote = copy_of_remote();
    let key = resigned(remote.path(), |manifest| {
        manifest["inputs"]["cpu_target"] = json!("generic");
        manifest["inputs"]["host_cpu"] = json!(null);
        let statements = manifest["files"][1].clone();
        manifest["files"] = json!([statements]);
        manifest["files"][0]["name"] = json!("sys.so");
    });
    expect_refused(remote.path(), &["--key", &key], &["does not start"]);
}

#[test]
fn a_damaged_image_is_not_signed() {
    let remote = tempfile::tempdir().unwrap();
    let machine = Machine::new();
    machine.build();
    let file = machine.jlsys(&["path"]).expect_status(0).stdout();
    let file = Path::new(file.trim());
    // With its size and time of change kept, the change is not noticed until the whole is read.
    let time = file.metadata().unwrap().modified().unwrap();
    let changed = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&changed, b"!", 10_000_000).unwrap();
    changed.set_modified(time).unwrap();
    let signing_key = image().secret_file.to_str().unwrap();
    let push = ["cache", "push", remote.path().to_str().unwrap(), "--quiet", "--signing-key", signing_key];
    machine.jlsys(&push).expect_refusal(&["is not pushed", "not the file that was built"]);
    assert!(!remote.path().join("entries").exists());
}
