//! The Julia files that jlsys runs, embedded into the binary.

use std::io;
use std::path::{Path, PathBuf};

use super::JuliaInstall;
use crate::file::Sha256Digest;
use crate::process::Command;

/// The drivers in a folder, with the Julia and the project that they run in.
#[derive(Debug, Clone, Copy)]
pub struct Drivers<'a> {
    /// The Julia.
    pub julia: &'a JuliaInstall,
    /// The project file.
    pub project_file: &'a Path,
    /// Where [`Driver::write_all`] put them.
    pub folder: &'a Path,
}

impl Drivers<'_> {
    /// A command that starts the Julia in the project; a driver is yet to be named, with [`path`](Self::path).
    pub fn command(&self) -> Command {
        self.julia.command(self.project_file)
    }

    /// Where a driver is.
    pub fn path(&self, driver: Driver) -> PathBuf {
        driver.path_in(self.folder)
    }
}

/// A Julia file of jlsys's own.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    /// Its name in the `julia/` folder.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! drivers {
    ($($(#[$doc:meta])* $constant:ident = $file:literal;)*) => {
        impl Driver {
            $($(#[$doc])* pub const $constant: Self =
                Self { name: $file, text: include_str!(concat!("../../julia/", $file)) };)*

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];
        }
    };
}

drivers! {
    /// Adds up how long a traced process compiles.
    COMPILING = "compiling.jl";
    /// Which caches of packages Julia takes; included by the driver that precompiles.
    COUNTED = "counted.jl";
    /// Lists what scripts define.
    DEFINITIONS = "definitions.jl";
    /// Makes a session with an image load its packages when they are asked for; part of every image.
    GUARD = "guard.jl";
    /// Loads packages and replays statements; included by the driver that writes the object.
    IMAGE = "image.jl";
    /// Starts the kernel that notebooks run in, and asks of it what a front end asks.
    KERNEL = "kernel.jl";
    /// Says which statements a session with the startup package would still compile.
    LEFT = "left.jl";
    /// Loads packages one by one and says which load.
    LOAD = "load.jl";
    /// Says when Pkg changed the project of a session with an image; part of every image.
    MOVED = "moved.jl";
    /// Runs a notebook's cells as a kernel does.
    NOTEBOOK = "notebook.jl";
    /// Leaves word of what a workload does; included by others.
    NOTES = "notes.jl";
    /// Leaves the image's object behind.
    OBJECT = "object.jl";
    /// Keeps Pkg from the network; included by others.
    OFFLINE = "offline.jl";
    /// Reads the list of packages that a driver is given; included by others.
    PACKAGES = "packages.jl";
    /// Finds out which packages of an image keep a folder.
    PLACES = "places.jl";
    /// Precompiles a project's packages, several at once.
    PRECOMPILE = "precompile.jl";
    /// Says what Julia this is.
    PROBE = "probe.jl";
    /// Which files were read for packages; included by the driver that writes the object.
    READS = "reads.jl";
    /// Replays statements; included by others.
    REPLAY = "replay.jl";
    /// Has Pkg write what a workload changes into a copy of the project.
    SHADOW = "shadow.jl";
    /// Knows what the packages by path of an image were compiled from; part of every image.
    SOURCES = "sources.jl";
    /// Precompiles a package of the startup package.
    STARTUP = "startup.jl";
    /// Loads the package that loads the groups.
    STARTUP_BEGINNING = "first.jl";
    /// That package: what a session loads when it comes to the first package of a group.
    STARTUP_FIRST = "JlsysStartup.jl";
    /// The source of every group.
    STARTUP_GROUP = "JlsysGroup.jl";
    /// Has it loaded when a package comes that it is about; before a session's own code.
    STARTUP_LOADER = "start.jl";
    /// Tries the groups.
    STARTUP_TRIAL = "groups.jl";
    /// What waits for such a package.
    STARTUP_WAITING = "waiting.jl";
    /// Says why a session cannot use the startup package.
    STARTUP_WHY = "why.jl";
    /// Runs a package's tests in the sandbox of `Pkg.test`.
    TEST = "test.jl";
    /// Says which caches sessions on other CPUs do not take.
    UNFIT = "unfit.jl";
    /// Checks that an image holds what it should.
    VERIFY = "verify.jl";
    /// Compiles signatures that are wider than any call; included by the replay.
    WIDENED = "widened.jl";
}

impl Driver {
    /// Writes every driver into `folder`, side by side, since they include each other.
    pub fn write_all(folder: &Path) -> io::Result<()> {
        Self::ALL.iter().try_for_each(|driver| std::fs::write(driver.path_in(folder), driver.text))
    }

    /// Where [`Driver::write_all`] puts this one.
    pub fn path_in(&self, folder: &Path) -> PathBuf {
        folder.join(self.name)
    }

    /// What all drivers say: part of the key, since another driver can make another image.
    pub fn digest_of_all() -> Sha256Digest {
        Self::digest_of(Self::ALL)
    }

    /// What these drivers say.
    pub fn digest_of(drivers: &[Self]) -> Sha256Digest {
        let texts: Vec<&str> = drivers.iter().map(|driver| driver.text).collect();
        Sha256Digest::of(texts.join("\0"))
    }
}
