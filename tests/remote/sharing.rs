//! Images go from one machine to another and work there.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a helper that cannot do its work fails the test"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::machine::{Machine, copy_of_remote, image};
use crate::server::{Fault, Server};

fn push(machine: &Machine, url: &str) -> Value {
    let signing_key = image().secret_file.to_str().unwrap();
    machine.jlsys(&["cache", "push", url, "--json", "--signing-key", signing_key]).expect_status(0).json()
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// A machine that has the image, and may push it.
fn owner() -> Machine {
    let machine = Machine::with_remote(image().remote.to_str().unwrap());
    machine.jlsys(&["cache", "pull"]).expect_status(0);
    machine
}

#[test]
fn an_image_goes_over_s3_and_works() {
    let server = Server::s3();
    let builder = owner().envs(&server.variables());
    let pushed = push(&builder, &server.url);
    assert_eq!(pushed["entries"][0]["outcome"], "pushed", "{pushed:#}");
    assert_eq!(pushed["entries"][0]["key"], image().key.as_str());
    let (bytes, sent) = (&pushed["entries"][0]["bytes"], &pushed["entries"][0]["sent_bytes"]);
    assert!(sent.as_u64().unwrap() * 2 < bytes.as_u64().unwrap(), "not compressed: {pushed:#}");
    // The description comes last, when all that it names is there.
    let requests = server.requests();
    let writes: Vec<&String> = requests.iter().filter(|line| line.starts_with("PUT")).collect();
    assert!(writes.last().unwrap().contains("/entries/"), "{writes:?}");
    assert_eq!(push(&builder, &server.url)["entries"][0]["outcome"], "there");

    let other = Machine::with_remote(&server.url).envs(&server.variables());
    let pulled = other.jlsys(&["cache", "pull", "--json"]).expect_status(0).json();
    assert_eq!(pulled["entries"][0]["outcome"], "pulled", "{pulled:#}");
    other.expect_works();
    other.jlsys(&["cache", "verify", "--start"]).expect_status(0);
    let again = other.jlsys(&["cache", "pull", "--json"]).expect_status(0).json();
    assert_eq!(again["entries"][0]["outcome"], "there");
    assert_eq!(other.jlsys(&["status", "--json"]).expect_status(0).json()["state"], "ready");
}

#[test]
fn a_real_julia_starts_with_a_real_image_that_came_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let remote = folder.path().to_str().unwrap();
    let builder = Machine::with_real_image();
    builder.shim.build(&[], 0);
    push(&builder, remote);
    let other = Machine::with_real_image();
    other.jlsys(&["cache", "pull", remote, "--accept", &image().public]).expect_status(0);
    let ran = other.jlsys(&["run", "--", "-e", "print(unsafe_string(Base.JLOptions().image_file))"]);
    let path = other.jlsys(&["path"]).expect_status(0).stdout();
    assert_eq!(ran.expect_status(0).stdout(), path.trim());
    other.jlsys(&["cache", "verify", "--start"]).expect_status(0);
}

#[test]
fn what_was_pulled_is_private_and_says_where_it_came_from() {
    let builder = Machine::new();
    builder.build();
    let folder = tempfile::tempdir().unwrap();
    let remote = folder.path().join("not there yet/with a space");
    push(&builder, remote.to_str().unwrap());
    let entry = read(&remote.join("entries").join(format!("{}.json", image().key)));
    let entry: Value = serde_json::from_str(&entry).unwrap();
    let described = crate::trust::payload(&entry).to_string();
    let home = builder.shim.project.outside("");
    assert!(
        !described.contains(home.to_str().unwrap().trim_end_matches('/')),
        "a path travelled: {described}"
    );

    let other = Machine::with_remote(remote.to_str().unwrap());
    other.jlsys(&["cache", "pull"]).expect_status(0).expect_stderr("signed by");
    other.expect_works();
    let entry = other.shim.project.cache().join("images").join(&image().key);
    assert_eq!(entry.join("sys.so").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let report: Value = serde_json::from_str(&read(&entry.join("report.json"))).unwrap();
    assert_eq!(report["image"], entry.join("sys.so").to_str().unwrap());
    assert_eq!(report["project"], other.shim.project.path("Project.toml").to_str().unwrap());
    assert_eq!(report["julia"]["command"], other.shim.project.outside("julia").to_str().unwrap());
    assert_eq!(report["pulled"]["remote"], remote.to_str().unwrap());
    assert!(report["workloads"].as_array().unwrap().iter().all(|workload| workload["log"].is_null()));
    assert!(!entry.join("cpus").exists() && entry.join("statements.jl").is_file());
}

#[test]
fn a_build_takes_what_another_machine_built_and_pushed() {
    let server = Server::s3();
    let first = Machine::with_remote(&server.url).envs(&server.variables()).signing();
    assert_eq!(first.build()["outcome"], "built");
    assert_eq!((server.writes("/entries/"), server.writes("/leases/")), (1, 1));
    let second = Machine::with_remote(&server.url).envs(&server.variables());
    let report = second.build();
    assert_eq!((&report["outcome"], second.built()), (&Value::from("hit"), 0), "{report:#}");
    assert_eq!(report["tier"], "full");
    // Nobody was kept waiting by a lease that was not given back.
    assert!(server.has(&format!("entries/{}.json", image().key)));
    assert!(!server.has(&format!("leases/{}.json", image().key)));
}

#[test]
fn a_project_names_a_folder_beside_it_as_its_remote() {
    let machine = Machine::new();
    let project = &machine.shim.project;
    let folder = project.outside("images");
    std::os::unix::fs::symlink(&image().remote, &folder).unwrap();
    let settings = format!("\n[remote]\nurl = \"../images\"\nkeys = [\"{}\"]\n", image().public);
    project.edit("jlsys.toml", |text| text + &settings);
    let report = machine.build();
    assert_eq!((&report["outcome"], machine.built()), (&Value::from("hit"), 0), "{report:#}");
}

#[test]
fn a_plain_web_server_serves_images() {
    let server = Server::web(&image().remote);
    let machine = Machine::with_remote(&server.url);
    assert_eq!(machine.build()["outcome"], "hit");
    let all = ["cache", "pull", "--all"];
    machine.jlsys(&all).expect_refusal(&["lists no images", "--key"]);
}

#[test]
fn only_build_and_what_is_about_remotes_asks_one() {
    let server = Server::web(&image().remote);
    let machine = Machine::with_remote(&server.url);
    machine.jlsys(&["run", "--", "-e", "0"]).expect_status(0);
    machine.jlsys(&["status"]).expect_status(1);
    machine.jlsys(&["path"]).expect_status(3);
    machine.jlsys(&["cache", "list"]).expect_status(0);
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn of_two_builders_one_builds_and_the_other_gets_its_image() {
    for remote in [Some(Server::s3()), None] {
        let folder = tempfile::tempdir().unwrap();
        let machine = || match &remote {
            Some(server) => Machine::with_remote(&server.url).envs(&server.variables()).signing(),
            None => Machine::with_remote(folder.path().to_str().unwrap()).signing(),
        };
        let machines = [machine(), machine()];
        let outcomes: Vec<Value> = std::thread::scope(|scope| {
            let builds =
                machines.each_ref().map(|machine| scope.spawn(|| machine.build()["outcome"].clone()));
            builds.map(|build| build.join().unwrap()).into()
        });
        let built: usize = machines.iter().map(Machine::built).sum();
        assert_eq!(built, 1, "{outcomes:?}");
        assert!(outcomes.contains(&Value::from("hit")), "{outcomes:?}");
    }
}

#[test]
fn a_lease_of_a_builder_that_died_long_ago_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("leases")).unwrap();
    let lease = folder.path().join("leases").join(format!("{}.json", image().key));
    let content = "{\"token\":\"x\",\"host\":\"dead\",\"expires\":\"2020-01-01T00:00:00Z\",\"renewals\":3}";
    std::fs::write(&lease, content).unwrap();
    let machine = Machine::with_remote(folder.path().to_str().unwrap()).signing();
    let started = std::time::Instant::now();
    assert_eq!(machine.build()["outcome"], "built");
    assert!(started.elapsed().as_secs() < 60);
    assert!(!lease.exists());
}

#[test]
fn a_pull_that_breaks_off_goes_on_where_it_ended() {
    let server = Server::s3();
    push(&owner().envs(&server.variables()), &server.url);
    let machine = Machine::with_remote(&server.url).envs(&server.variables());
    server.set(Fault::GoneAfter(2));
    machine.expect_pull_refused(&[], &["some/prefix", "cannot read 'blobs/"]);
    server.set(Fault::None);
    let whole = image_stored_size();
    let pulled = machine.jlsys(&["cache", "pull", "--json"]).expect_status(0).json();
    let received = pulled["entries"][0]["received_bytes"].as_u64().unwrap();
    assert!(0 < received && received < whole, "{received} of {whole}");
    machine.expect_works();
}

#[test]
fn what_was_received_and_then_damaged_is_received_again() {
    let server = Server::s3();
    push(&owner().envs(&server.variables()), &server.url);
    let machine = Machine::with_remote(&server.url).envs(&server.variables());
    server.set(Fault::GoneAfter(2));
    machine.expect_pull_refused(&[], &["cannot read"]);
    let download = machine.shim.project.cache().join("tmp").join(format!("pull-{}", image().key));
    for piece in std::fs::read_dir(download).unwrap() {
        std::fs::write(piece.unwrap().path(), "damaged").unwrap();
    }
    server.set(Fault::None);
    machine.jlsys(&["cache", "pull"]).expect_status(0);
    machine.expect_works();
}

#[test]
fn a_push_that_breaks_off_goes_on_where_it_ended() {
    let server = Server::s3();
    let machine = owner().envs(&server.variables());
    server.set(Fault::GoneAfter(2));
    let signing_key = image().secret_file.to_str().unwrap();
    let args = ["cache", "push", server.url.as_str(), "--quiet", "--signing-key", signing_key];
    machine.jlsys(&args).expect_refusal(&["some/prefix", "blobs/"]);
    assert_eq!(server.writes("/entries/"), 0);
    server.set(Fault::None);
    let sent = push(&machine, &server.url)["entries"][0]["sent_bytes"].as_u64().unwrap();
    assert!(0 < sent && sent < image_stored_size(), "{sent} of {}", image_stored_size());
    let other = Machine::with_remote(&server.url).envs(&server.variables());
    other.jlsys(&["cache", "pull"]).expect_status(0);
    other.expect_works();
}

#[test]
fn blobs_that_a_bucket_lost_are_put_there_again() {
    let remote = copy_of_remote();
    let url = remote.path().to_str().unwrap();
    let blob = std::fs::read_dir(remote.path().join("blobs")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&blob).unwrap();
    let machine = Machine::with_remote(url);
    machine.expect_pull_refused(&[], &["has no 'blobs/", "--force"]);
    assert_eq!(push(&owner(), url)["entries"][0]["outcome"], "pushed");
    assert!(blob.is_file());
    machine.jlsys(&["cache", "pull"]).expect_status(0);
    machine.expect_works();
}

#[test]
fn all_images_that_fit_are_taken_by_those_who_prepare_a_machine() {
    let remote = copy_of_remote();
    // An entry for another Julia, one that nobody here accepts, and what is no entry at all.
    let other = crate::trust::resigned(remote.path(), |manifest| {
        manifest["inputs"]["julia"]["version"] = "1.99.0".into();
    });
    let stranger = format!("{:064x}", 7);
    std::fs::write(remote.path().join(format!("entries/{stranger}.json")), "{}").unwrap();
    std::fs::write(remote.path().join("entries/README"), "hello").unwrap();
    let machine = Machine::with_remote(remote.path().to_str().unwrap());
    // Away from any project.
    let mut command = machine.shim.project.command(&["cache", "pull", "--all", "--json"]);
    let ran =
        crate::support::Ran(command.current_dir(machine.shim.project.outside("home")).output().unwrap());
    let items = ran.expect_status(1).json()["entries"].clone();
    let outcome = |key: &str| {
        let item = items.as_array().unwrap().iter().find(|item| item["key"] == key);
        item.unwrap_or_else(|| panic!("{key} is not in {items:#}"))["outcome"].clone()
    };
    assert_eq!(items.as_array().unwrap().len(), 3);
    assert_eq!(
        (outcome(&image().key), outcome(&other), outcome(&stranger)),
        ("pulled".into(), "unfit".into(), "refused".into())
    );
    // The project then finds it.
    assert_eq!(machine.shim.build(&[], 0)["outcome"], "hit");
    machine.expect_works();
}

fn image_stored_size() -> u64 {
    let blobs = std::fs::read_dir(image().remote.join("blobs")).unwrap();
    blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).sum()
}
