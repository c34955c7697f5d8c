//! Machines that share images, and the image that they share.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a helper that cannot do its work fails the test"
)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Ran;
use crate::support::shim::Shim;

/// A machine with a project, like all others but for its folders.
pub struct Machine {
    pub shim: Shim,
}

impl Machine {
    /// A machine that knows nothing of remotes. Its image is a stand-in of 20 MB (see [`TAKES_THE_STAND_IN`]).
    pub fn new() -> Self {
        let image = stand_in();
        let shim = Shim::with_compiler("", &format!("cp '{}' \"$out\"", image.display()));
        let julia = shim.project.outside("julia");
        let script = std::fs::read_to_string(&julia).unwrap();
        std::fs::write(&julia, script.replacen("#!/bin/sh\n", TAKES_THE_STAND_IN, 1)).unwrap();
        Self::with_shim(shim)
    }

    /// The same with an image that Julia really starts with, the stock one: 190 MB.
    pub fn with_real_image() -> Self {
        Self::with_shim(Shim::new(""))
    }

    fn with_shim(shim: Shim) -> Self {
        // A machine in a container would build for other CPUs than one that is not.
        shim.project.edit("jlsys.toml", |text| format!("cpu-target = \"native\"\n{text}"));
        Self { shim }
    }

    /// A machine that the operator set up for a remote.
    pub fn with_remote(url: &str) -> Self {
        Self::new().env("JLSYS_REMOTE_URL", url).env("JLSYS_REMOTE_KEYS", &image().public)
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.shim.project = self.shim.project.env(name, value);
        self
    }

    pub fn envs(self, variables: &[(&str, String)]) -> Self {
        variables.iter().fold(self, |machine, (name, value)| machine.env(name, value))
    }

    /// May push, also from `build`.
    pub fn signing(self) -> Self {
        let settings = "\n[remote]\npush = true\n";
        self.shim.project.edit("jlsys.toml", |text| text + settings);
        self.env("JLSYS_SIGNING_KEY_FILE", &image().secret_file.display().to_string())
    }

    pub fn jlsys(&self, args: &[&str]) -> Ran {
        self.shim.project.jlsys(args)
    }

    /// Builds, or finds; what comes of it is right in any case.
    pub fn build(&self) -> Value {
        let report = self.shim.build(&[], 0);
        self.expect_works();
        report
    }

    /// How many images were built here.
    pub fn built(&self) -> usize {
        self.shim.attempts().len()
    }

    /// Julia starts with the image, which is the one that was built, byte by byte.
    pub fn expect_works(&self) {
        let ran = self.jlsys(&["run", "--", "-e", "print(1 + 1)"]).expect_status(0).expect_stdout("2");
        assert_eq!(ran.stderr(), "", "it started without the image");
        let path = self.jlsys(&["path"]).expect_status(0).stdout();
        assert_eq!(digest(Path::new(path.trim())), digest(&stand_in()), "another image than was built");
        self.shim.expect_nothing_left();
    }

    /// Nothing came into the cache.
    pub fn expect_no_image(&self) {
        let images = std::fs::read_dir(self.shim.project.cache().join("images"));
        assert_eq!(images.map_or(0, Iterator::count), 0);
    }

    /// A pull is refused with one line that has these words, and nothing came into the cache.
    #[track_caller]
    pub fn expect_pull_refused(&self, args: &[&str], words: &[&str]) {
        let args: Vec<&str> = ["cache", "pull", "--quiet"].into_iter().chain(args.iter().copied()).collect();
        self.jlsys(&args).expect_refusal(words);
        self.expect_no_image();
    }
}

/// Shell code of a Julia that takes the stand-in for an image, and is then plain Julia; any other image the real Julia gets
/// to see. What travels in most tests is small, and a real image is shown to work where that is the point.
const TAKES_THE_STAND_IN: &str = "#!/bin/sh
n=$#
while [ $n -gt 0 ]; do
    arg=$1; shift; n=$((n - 1))
    case $arg in
    --sysimage=*)
        [ \"$(head -c 8 \"${arg#--sysimage=}\" | tr -d '\\0')\" = STAND-IN ] || set -- \"$@\" \"$arg\" ;;
    *) set -- \"$@\" \"$arg\" ;;
    esac
done
";

/// 20 MB in three pieces, half of which can be compressed.
fn stand_in() -> PathBuf {
    static STAND_IN: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let mut state = 1_u64;
        let numbers = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            [0, 0, 0, 0, state.to_le_bytes()[4], state.to_le_bytes()[5], state.to_le_bytes()[6], 0]
        });
        let content: Vec<u8> =
            b"STAND-IN".iter().copied().chain(numbers.flatten()).take(20_000_000).collect();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stand-in");
        std::fs::write(&file, content).unwrap();
        file
    };
    STAND_IN.get_or_init(make).clone()
}

/// An image that was built and pushed once for all tests.
pub struct Image {
    pub key: String,
    pub public: String,
    pub secret_file: PathBuf,
    /// A folder that is a remote.
    pub remote: PathBuf,
}

pub fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("remote");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (secret_file, remote) = (folder.join("signing.key"), folder.join("pushed"));
        let machine = Machine::new();
        let key_args = ["cache", "keygen", "--output", secret_file.to_str().unwrap()];
        let public = machine.jlsys(&key_args).expect_status(0).stdout().trim().to_owned();
        let report = machine.shim.build(&[], 0);
        let signing_key = secret_file.to_str().unwrap();
        let push = ["cache", "push", remote.to_str().unwrap(), "--signing-key", signing_key];
        machine.jlsys(&push).expect_status(0);
        Image { key: report["key"].as_str().unwrap().to_owned(), public, secret_file, remote }
    })
}

/// A copy of the remote, which a test may damage.
pub fn copy_of_remote() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["entries", "blobs"] {
        std::fs::create_dir(copy.path().join(folder)).unwrap();
        for file in std::fs::read_dir(image().remote.join(folder)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(folder).join(file.file_name())).unwrap();
        }
    }
    copy
}

fn digest(file: &Path) -> jlsys::file::Sha256Digest {
    jlsys::file::Sha256Digest::of_file(file).unwrap()
}
