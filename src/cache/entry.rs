//! A cached image with what is known of it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::contents::{self, Contents};
use super::image_file::ImageFile;
use super::startup::{StaleGroups, StartupFiles};
use super::trust::Trust;
use super::{FORMAT, REPORT, read_json, startup, usage, write_atomically};
use crate::cpu::HostCpu;
use crate::file::{Sha256Digest, Stamp};
use crate::key::{Key, KeyInputs, KeyWorkload, OwnInputs};
use crate::report::{Report, Tier};
use crate::startup::TOUCHED_ENDING;
use crate::sysimage::IMAGE_NAME;
use crate::uuid::Uuid;
use crate::world::{Here, World, why_not_mapped};

/// The part of an entry that starting Julia needs; small, since it is read at every start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntryHeader {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// The key that the entry was built for.
    pub key: Key,
    /// How much of the plan it holds.
    pub tier: Tier,
    /// The image; absent at a tier without one.
    pub image: Option<ImageFile>,
    /// The startup package, on the tier of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<StartupFiles>,
    /// The project's own packages that it has groups for, as they were then; with an image, as they were when it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnInputs>,
    /// The CPU that it was tried on before it was committed; none for an image that came from another machine.
    pub tried_on: Option<HostCpu>,
    /// When it was committed.
    pub created: Timestamp,
    /// The project file that it was built for first.
    pub project: PathBuf,
    /// The version of Julia.
    pub julia: String,
    /// How many packages the image holds.
    pub packages: usize,
    /// The project's own scripts and notebooks that showed what to compile: a start need not look for others.
    #[serde(default)]
    pub shown_by: Vec<KeyWorkload>,
    /// The size of all files of the entry but this one, in bytes.
    pub bytes: u64,
}

/// A cached image that may be used.
#[derive(Debug, Clone)]
pub struct Entry {
    folder: PathBuf,
    trust: Trust,
    /// What it is.
    pub header: EntryHeader,
}

/// What a build knows of an entry that it has put together.
pub(super) struct Known<'a> {
    /// What some of its files contain, so that they need not be read.
    pub digests: &'a BTreeMap<PathBuf, Sha256Digest>,
    /// What must still be true where it is used.
    pub world: &'a World,
    /// The project's own packages, as [`EntryHeader::own`] has them.
    pub own: Option<&'a OwnInputs>,
    /// The folder with the sources of startup packages.
    pub sources: &'a Path,
}

/// Why there is no entry to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// There is none.
    Missing,
    /// There is one, and something is wrong with it.
    Damaged(String),
    /// There is one, and it is not right here; what is another than where it was built.
    OtherWorld(Vec<String>),
    /// There is one, and the system does not let Julia load it.
    Unmappable(String),
    /// There is one that an older or newer jlsys wrote; it is left alone.
    OtherFormat(PathBuf),
}

impl EntryHeader {
    /// The folder of the project that it was built for first: it says as much as the project file, and is shorter.
    pub fn project_dir(&self) -> &Path {
        self.project.parent().unwrap_or(&self.project)
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("there is none"),
            Self::Damaged(what) | Self::Unmappable(what) => f.write_str(what),
            Self::OtherWorld(differences) => f.write_str(&differences.join(", ")),
            Self::OtherFormat(folder) => write!(f, "another version of jlsys wrote {}", folder.display()),
        }
    }
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

pub(super) const HEADER: &str = "entry.json";
pub(super) const KEY_INPUTS: &str = "key.json";
pub(super) const WORLD: &str = "world.json";

/// The folder of what an image has beside it for the project's own packages.
pub(super) const OWN: &str = "own";

/// The statements for that.
pub(super) const OWN_STATEMENTS: &str = "statements-of-own.jl";

impl Entry {
    /// Opens the entry in `folder` and checks, by a few `stat`s, that its image is the one that was committed.
    pub(super) fn open(folder: PathBuf, trust: Trust) -> Result<Self, Unusable> {
        let entry = Self::read(folder, trust)?;
        entry.check_image()?;
        Ok(entry)
    }

    /// Reads what the entry in `folder` says of itself, and looks at no other file.
    pub(super) fn read(folder: PathBuf, trust: Trust) -> Result<Self, Unusable> {
        let file = folder.join(HEADER);
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {
                return Err(Unusable::Missing);
            }
            Err(error) => {
                return Err(Unusable::Damaged(format!("{} cannot be read: {error}", file.display())));
            }
        };
        let damaged = |_| Unusable::Damaged(format!("{} is not an entry's description", file.display()));
        // What another format means by its other fields is not known here.
        let Format { format } = serde_json::from_slice(&text).map_err(damaged)?;
        if format != FORMAT {
            return Err(Unusable::OtherFormat(folder));
        }
        let header = serde_json::from_slice(&text).map_err(damaged)?;
        Ok(Self { folder, trust, header })
    }

    fn check_image(&self) -> Result<(), Unusable> {
        let damaged = |what: String| Err(Unusable::Damaged(what));
        if let Some(image) = &self.header.image {
            self.check_file(image)?;
        }
        if let Some(startup) = &self.header.startup {
            startup.files.iter().try_for_each(|file| self.check_file(file))?;
            for (path, stamp) in startup.sources() {
                match Stamp::of(path) {
                    Err(error) => return damaged(format!("{} cannot be read: {error}", path.display())),
                    Ok(now) if !now.same_content(stamp) => {
                        return damaged(format!("{} is not the file that was built with", path.display()));
                    }
                    Ok(_) => {}
                }
                if let Err(doubt) = self.trust.check(path) {
                    return damaged(doubt.to_string());
                }
            }
        }
        Ok(())
    }

    fn check_file(&self, image: &ImageFile) -> Result<(), Unusable> {
        let damaged = |what: String| Err(Unusable::Damaged(what));
        let name = Path::new(&image.name);
        let is_inside = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_inside || image.name.starts_with('.') || image.name.is_empty() {
            return damaged(format!("{} names an image outside of it", self.folder.display()));
        }
        let path = self.folder.join(name);
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) => return damaged(format!("{} cannot be read: {error}", path.display())),
        };
        if !metadata.is_file() {
            return damaged(format!("{} is not a regular file", path.display()));
        }
        let stamp = Stamp::from(&metadata);
        let is_touched = name.extension().is_some_and(|ending| ending == TOUCHED_ENDING);
        if !(stamp.same_content(&image.stamp) || is_touched && stamp.size == image.stamp.size) {
            return damaged(format!("{} is not the file that was built", path.display()));
        }
        for path in [&path, &self.folder] {
            if let Err(doubt) = self.trust.check(path) {
                return damaged(doubt.to_string());
            }
        }
        Ok(())
    }

    /// The image; none at a tier without one.
    pub fn image(&self) -> Option<PathBuf> {
        self.header.image.as_ref().map(|image| self.folder.join(&image.name))
    }

    /// The folder of the startup package; none at a tier with an image.
    pub fn startup(&self) -> Option<PathBuf> {
        self.header.startup.as_ref().map(|_| self.folder.join(startup::FOLDER))
    }

    /// What the image has beside it for the project's own packages: a startup package about them alone, which is made when the image is in place, and
    /// again when one of them changed. Nothing where it is not the one that was committed.
    pub fn own_code(&self) -> Option<Self> {
        let own = Self::open(self.folder.join(OWN), self.trust).ok()?;
        (own.header.key == self.header.key && own.header.startup.is_some()).then_some(own)
    }

    /// The statements about the project's own packages that were seen when the image was built.
    pub fn own_statements(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join(OWN_STATEMENTS)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Which groups of the entry's startup package Julia would not load here any more.
    pub fn stale_groups(&self, here: &Here<'_>) -> StaleGroups {
        self.header.startup.as_ref().map(|startup| startup.stale(here)).unwrap_or_default()
    }

    /// The groups of the entry's startup package that can be taken over, each with its cache, within the startup package's folder.
    pub fn fresh_groups(&self, here: &Here<'_>) -> BTreeMap<Uuid, PathBuf> {
        self.header.startup.as_ref().map(|startup| startup.fresh_groups(here)).unwrap_or_default()
    }

    /// When it was last used, up to an hour.
    pub fn last_used(&self) -> Timestamp {
        usage::last(&self.folder).unwrap_or(self.header.created)
    }

    /// Notes that it is used now, where it is the user's own.
    pub fn note_use(&self) {
        if self.is_own() {
            usage::note(&self.folder);
        }
    }

    /// The entry's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it is in the user's own cache.
    pub fn is_own(&self) -> bool {
        self.trust == Trust::OWN
    }

    pub(super) fn trust(&self) -> Trust {
        self.trust
    }

    /// What the build had to say.
    pub fn report(&self) -> io::Result<Report> {
        let mut report: Report = read_json(&self.folder.join(REPORT))?;
        report.sessions = self.session_steps();
        if let Some(own) = self.image().and_then(|_| self.own_code()) {
            report.groups = read_json::<Report>(&own.folder.join(REPORT))?.groups;
        }
        Ok(report)
    }

    /// What must still be true where its image is used; nothing at a tier without one.
    pub fn world(&self) -> io::Result<World> {
        if self.header.image.is_none() {
            return Ok(World::default());
        }
        read_json(&self.folder.join(WORLD))
    }

    /// Whether it may be used here. What only has another time of change is noted, so that the next start need not read it.
    pub fn check_world(&self, here: &Here<'_>) -> Result<(), Unusable> {
        // Julia maps the code of a startup package as it maps an image.
        let folder = match (self.image(), self.startup()) {
            (Some(image), _) => image.parent().unwrap_or(&image).to_owned(),
            (None, Some(startup)) => startup,
            (None, None) => return Ok(()),
        };
        let mut world = self.world().map_err(|error| {
            Unusable::Damaged(format!("{} cannot be read: {error}", self.folder.join(WORLD).display()))
        })?;
        let (differences, has_news) = world.differences(here);
        if !differences.is_empty() {
            return Err(Unusable::OtherWorld(differences));
        }
        if let Some(why) = why_not_mapped(&folder, world.address_space) {
            return Err(Unusable::Unmappable(why));
        }
        if has_news && self.is_own() {
            // A cache that cannot be written to costs every start the reading, and no more.
            let _ = world.rewrite(&self.folder);
        }
        Ok(())
    }

    /// What the entry was built from.
    pub fn key_inputs(&self) -> io::Result<KeyInputs> {
        read_json(&self.folder.join(KEY_INPUTS))
    }

    /// Makes `folder`, which has the image and the logs, complete: the folder then only has to be moved into its place.
    pub(super) fn write(
        folder: &Path,
        inputs: &KeyInputs,
        report: &Report,
        tried_on: Option<HostCpu>,
        Known { digests, world, own, sources }: Known<'_>,
    ) -> io::Result<()> {
        std::fs::write(folder.join(KEY_INPUTS), serde_json::to_vec_pretty(inputs)?)?;
        std::fs::write(folder.join(REPORT), serde_json::to_vec_pretty(report)?)?;
        let contents = Contents::of(folder, digests)?;
        let bytes = contents.bytes();
        std::fs::write(folder.join(contents::FILE), serde_json::to_vec_pretty(&contents)?)?;
        // Not among the contents, since times in it change in the entry's life.
        world.write(folder)?;
        let image = match contents.0.get(Path::new(IMAGE_NAME)) {
            Some(record) => Some(ImageFile {
                name: IMAGE_NAME.to_owned(),
                stamp: Stamp::of(&folder.join(IMAGE_NAME))?,
                sha256: record.sha256,
            }),
            None => None,
        };
        let startup = startup::files(folder, sources, &contents)?;
        let header = EntryHeader {
            format: FORMAT,
            key: inputs.key(),
            tier: report.tier,
            image,
            startup,
            own: own.cloned(),
            tried_on,
            created: Timestamp::now(),
            project: report.project.clone(),
            julia: report.julia.version.clone(),
            packages: report.packages.included.len(),
            shown_by: inputs.projects_own().cloned().collect(),
            bytes,
        };
        std::fs::write(folder.join(HEADER), serde_json::to_vec_pretty(&header)?)?;
        usage::start(folder)
    }
}

impl World {
    fn write(&self, entry: &Path) -> io::Result<()> {
        write_atomically(&entry.join(WORLD), &serde_json::to_vec(self)?)
    }

    /// The same for an entry that is there, which its owner may have let others read.
    fn rewrite(&self, entry: &Path) -> io::Result<()> {
        let path = entry.join(WORLD);
        let permissions = path.metadata()?.permissions();
        self.write(entry)?;
        std::fs::set_permissions(path, permissions)
    }
}
