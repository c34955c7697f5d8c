//! What an image's code may run on, and what this machine is.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// For which CPUs an image's code is generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpuTarget {
    /// The CPU of the machine that builds: the fastest code, the smallest image, and of no use elsewhere.
    Native,
    /// Several variants that together run well on any CPU of the architecture, as in the official Julia.
    Portable,
    /// Julia's own syntax for `--cpu-target`.
    Julia(String),
}

impl CpuTarget {
    /// What to build for when nobody says: in a container the image will run on another machine than this.
    pub fn chosen_here() -> Self {
        if in_container() { Self::Portable } else { Self::Native }
    }
}

impl FromStr for CpuTarget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "native" => Ok(Self::Native),
            "portable" => Ok(Self::Portable),
            "" => Err("a CPU target is \"native\", \"portable\", or a target in Julia's own syntax"),
            _ => Ok(Self::Julia(text.to_owned())),
        }
    }
}

impl fmt::Display for CpuTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Portable => "portable",
            Self::Julia(target) => target,
        })
    }
}

impl Serialize for CpuTarget {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CpuTarget {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Docker and Podman leave these files, Kubernetes sets the variable.
fn in_container() -> bool {
    Path::new("/.dockerenv").exists()
        || Path::new("/run/.containerenv").exists()
        || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
        || std::env::var_os("REPO_DIR").is_some() // repo2docker
}

/// This machine's CPU as far as it matters to generated code: equal for machines that can run the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostCpu(String);

impl HostCpu {
    /// Asks the CPU itself; microseconds, so that the hot path can.
    pub fn detect() -> Self {
        // In a virtual machine each question is a trap into the hypervisor, so they are asked once.
        static HERE: OnceLock<HostCpu> = OnceLock::new();
        HERE.get_or_init(|| Self(describe())).clone()
    }
}

impl fmt::Display for HostCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(target_arch = "x86_64")]
fn describe() -> String {
    use raw_cpuid::{CpuId, CpuIdReader, CpuIdReaderNative};

    let reader = CpuIdReaderNative;
    let cpu = CpuId::with_cpuid_reader(reader);
    let model = cpu.get_feature_info().map_or_else(String::new, |info| {
        format!("-{}-{}-{}", info.family_id(), info.model_id(), info.stepping_id())
    });
    let vendor =
        cpu.get_vendor_info().map_or_else(|| "x86_64".to_owned(), |vendor| vendor.as_str().to_owned());
    // The leaves that tell features (Intel's manual, volume 2A, CPUID). Leaf 1's EBX stays out: it has the number of the core
    // that was asked.
    let (one, seven, seven_one) = (reader.cpuid1(1), reader.cpuid2(7, 0), reader.cpuid2(7, 1));
    let extended = reader.cpuid1(0x8000_0001);
    let features =
        [one.ecx, one.edx, seven.ebx, seven.ecx, seven.edx, seven_one.eax, extended.ecx, extended.edx];
    let bytes: Vec<u8> = features.iter().flat_map(|register| register.to_le_bytes()).collect();
    format!("{vendor}{model}-{:08x}", crc32c::crc32c(&bytes))
}

#[cfg(not(target_arch = "x86_64"))]
fn describe() -> String {
    // The first processor's block of cpuinfo: implementer, part and features, but nothing that is measured.
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = text.split("\n\n").next().unwrap_or_default();
    let kept = first.lines().filter(|line| !line.contains("MHz") && !line.contains("BogoMIPS"));
    let kept: Vec<&str> = kept.collect();
    format!("{}-{:08x}", std::env::consts::ARCH, crc32c::crc32c(kept.join("\n").as_bytes()))
}
