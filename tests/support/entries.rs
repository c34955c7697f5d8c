//! Entries of a cache, made in a moment: real in all but their images, which are a few bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jlsys::cache::{Cache, CacheVariables, Entry};
use jlsys::file::Sha256Digest;
use jlsys::key::{KeyCode, KeyInputs, KeyJulia, KeyPackage, KeyWorkload};
use jlsys::plan::PlannedPackage;
use jlsys::report::{
    BuildOutcome, JuliaReport, Packages, PhaseReport, Report, StatementCounts, Tier, WorkloadReport,
};
use jlsys::workload::{Kind, Outcome};

/// An entry to be.
pub struct Made {
    pub project: PathBuf,
    pub version: String,
    pub tier: Tier,
    pub image: Vec<u8>,
}

impl Made {
    /// A project with one package at this version.
    pub fn new(project: &str, version: &str) -> Self {
        Self {
            project: Path::new(project).join("Project.toml"),
            version: version.to_owned(),
            tier: Tier::Full,
            image: vec![b'i'; 1 << 20],
        }
    }

    /// Commits it to the cache in `root`.
    pub fn commit(&self, root: &Path) -> Entry {
        let variables = CacheVariables { own: Some(root.to_owned()), shared: None };
        let cache = Cache::locate(variables, None).unwrap();
        cache.prepare().unwrap();
        let staging = cache.stage().unwrap();
        std::fs::write(staging.image(), &self.image).unwrap();
        std::fs::write(staging.entry().join("statements.jl"), "Tuple{typeof(Base.sort), Int64}\n").unwrap();
        let log = staging.logs().join("tests-Tables.log");
        std::fs::write(&log, "Test Passed\n").unwrap();
        let inputs = self.inputs();
        let mut report = self.report(&inputs, log);
        staging.commit(&cache, &inputs, &mut report, None).unwrap()
    }

    fn inputs(&self) -> KeyInputs {
        let package = KeyPackage {
            name: "Tables".to_owned(),
            version: Some(self.version.clone()),
            code: KeyCode::Tree("f5c06f335ceddc089c816627725c7f55bb23b077".to_owned()),
            needed: true,
        };
        KeyInputs {
            packages: BTreeMap::from([(UUID.parse().unwrap(), package)]),
            preferences: BTreeMap::new(),
            julia: KeyJulia {
                version: "1.10.5".to_owned(),
                commit: "6f3fdf7b362".to_owned(),
                base_image: Sha256Digest::of("base image"),
                os: "Linux".to_owned(),
                arch: "x86_64".to_owned(),
            },
            cpu_target: "portable".parse().unwrap(),
            host_cpu: None,
            // Tells entries of several projects apart.
            julia_args: vec![format!("-O{}", self.project.as_os_str().len() % 4)],
            workloads: vec![KeyWorkload { kind: Kind::Tests, name: "Tables".to_owned(), content: None }],
            time_limit: 600.0,
            drivers: Sha256Digest::of("drivers"),
            // Not the present ones: the keys in snapshots stay what they are.
            cache_format: 2,
            statements_format: 2,
        }
    }

    fn report(&self, inputs: &KeyInputs, log: PathBuf) -> Report {
        Report {
            schema: jlsys::report::SCHEMA,
            outcome: BuildOutcome::Built,
            tier: self.tier,
            key: inputs.key(),
            image: None,
            startup: None,
            image_pending: false,
            project: self.project.clone(),
            packages: Packages {
                included: vec![PlannedPackage {
                    uuid: UUID.parse().unwrap(),
                    name: "Tables".to_owned(),
                    version: Some(self.version.clone()),
                    needed: true,
                }],
                dropped: Vec::new(),
            },
            statements: StatementCounts {
                traced: 1200,
                kept: 1000,
                compiled: 990,
                rejected: 10,
                left_out: 0,
                dropped: BTreeMap::from([("names a module that is not in the image".to_owned(), 200)]),
                by_package: BTreeMap::from([("Base".to_owned(), 300), ("Tables".to_owned(), 700)]),
            },
            groups: Vec::new(),
            workloads: vec![WorkloadReport {
                name: "Tables".to_owned(),
                kind: Kind::Tests,
                outcome: Outcome::Failed,
                started: Some(60.25),
                seconds: 12.34,
                compile_seconds: Some(8.5),
                reused: false,
                statements: 1200,
                log: Some(log),
                note: None,
                error: None,
            }],
            phases: vec![PhaseReport { name: "compile".to_owned(), started: Some(75.5), seconds: 141.0 }],
            caches: None,
            stuck: Vec::new(),
            sessions: BTreeMap::new(),
            peak_memory_bytes: 1 << 30,
            julia: JuliaReport { version: "1.10.5".to_owned(), command: "/opt/julia/bin/julia".into() },
            cut_short: None,
            failure: None,
            image_bytes: 0,
            warnings: vec!["something to know".to_owned()],
            notes: Vec::new(),
            pulled: None,
        }
    }
}

const UUID: &str = "bd369af6-aec1-5ad0-b16a-f7cc5008161c";

/// Makes it so that an entry was last used so long ago.
pub fn used_ago(entry: &Entry, age: Duration) {
    let file = std::fs::File::options().write(true).open(entry.folder().join("used")).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}
