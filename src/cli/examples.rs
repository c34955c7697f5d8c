//! What stands below each command's `--help`: lines to copy.

pub(super) const JLSYS: &str = "\
Examples:
  jlsys build                   build the sysimage of the project around this folder
  jlsys run script.jl           start Julia with it
  jlsys status                  is there one, and if not, why

`jlsys COMMAND --help` has examples of each command.";

pub(super) const BUILD: &str = "\
Examples:
  jlsys build                             build the image, or find it
  jlsys build --dry-run                   what would run, and how long that took before
  jlsys build --quick                     only the startup package (Julia 1.9 and later)
  jlsys build --time-budget 20m           with what there is time for in 20 minutes
  jlsys build --cpu-target portable       for other machines than this
  jlsys build --project @v1.10            for the default environment";

pub(super) const RUN: &str = "\
Examples:
  jlsys run                               Julia's REPL
  jlsys run script.jl 10                  a script with an argument
  jlsys run -- -t 4 -e 'println(1)'       Julia's own options, behind `--`
  jlsys run --project plots script.jl     with the image of another project";

pub(super) const STATUS: &str = "\
Examples:
  jlsys status                            is there an image, and if not, why
  jlsys status --explain                  what the image depends on, and what changed
  jlsys status --packages                 the same, with every package
  jlsys status --json                     for a script; exit status 0 only when it is ready";

pub(super) const PATH: &str = "\
Examples:
  julia --project -J \"$(jlsys path)\"      start Julia with the image yourself
  julia --project \"$(jlsys path --env)\"   the same; it also knows the startup package";

pub(super) const TRACE: &str = "\
Examples:
  jlsys trace                             what the workloads compile, and how long that takes
  jlsys trace --output statements.jl       the statements, to read or for PackageCompiler
  jlsys trace --force --profile           run all of them again, and draw a timeline";

pub(super) const DOCTOR: &str = "\
Examples:
  jlsys doctor                            what is missing, and what to do
  jlsys doctor --julia +1.12              the same with another Julia";

pub(super) const POSTBUILD: &str = "\
Examples:
  jlsys postbuild                         in a repository's postBuild
  jlsys postbuild --time-budget 30m       where the service ends builds that take longer
  jlsys postbuild --strict                in CI, where a failure is to be seen";

pub(super) const INIT: &str = "\
Examples:
  jlsys init                              write jlsys.toml beside Project.toml
  jlsys init --binder                     also postBuild, for Binder
  jlsys init --package                    make the project a package, for what its scripts define";

pub(super) const COMPLETIONS: &str = "\
Examples:
  jlsys completions bash > ~/.local/share/bash-completion/completions/jlsys
  jlsys completions zsh > ~/.zfunc/_jlsys
  jlsys completions fish > ~/.config/fish/completions/jlsys.fish";

pub(super) const CACHE_LIST: &str = "\
Examples:
  jlsys cache list
  jlsys cache list --json | jq '.entries[].project'";

pub(super) const CACHE_SHOW: &str = "\
Examples:
  jlsys cache show                        the image of the project in this folder
  jlsys cache show 3f2a                   the one whose key begins so
  jlsys cache show --packages             also every package and every statement's owner
  jlsys cache show 3f2a --diff 91c0       what differs from 91c0 to 3f2a";

pub(super) const CACHE_VERIFY: &str = "\
Examples:
  jlsys cache verify                      check every file of every image
  jlsys cache verify --start 3f2a         and start Julia with one
  jlsys cache verify --repair             remove what is damaged";

pub(super) const CACHE_GC: &str = "\
Examples:
  jlsys cache gc --max-size 20G --dry-run
  jlsys cache gc --max-age 90d --yes
  jlsys cache gc --keep 1 --yes           one image of each project";

pub(super) const CACHE_RM: &str = "\
Examples:
  jlsys cache rm .                        the image of the project in this folder
  jlsys cache rm 3f2a 91c0                two by their keys";

pub(super) const CACHE_CLEAN: &str = "\
Examples:
  jlsys cache clean                       say what would be removed
  jlsys cache clean --yes                 remove it";

pub(super) const CACHE_PUSH: &str = "\
Examples:
  jlsys cache push s3://bucket/images     the project's image
  jlsys cache push --all /srv/images      all images, into a folder";

pub(super) const CACHE_PULL: &str = "\
Examples:
  jlsys cache pull s3://bucket/images --accept jlsys-public-ed25519:…
  jlsys cache pull --all                  all that fit this Julia and this CPU";

pub(super) const CACHE_KEYGEN: &str = "\
Examples:
  jlsys cache keygen                      your own key; the public one is printed
  jlsys cache keygen --output ci.key      one for a CI service";

pub(super) const CACHE_DIR: &str = "\
Examples:
  du -sh \"$(jlsys cache dir)\"";

pub(super) const KERNEL_INSTALL: &str = "\
Examples:
  jlsys kernel install                    beside every Julia kernelspec one through jlsys
  jlsys kernel install --replace          in their place
  jlsys kernel install --project plots    one that always starts this project";

pub(super) const KERNEL_LIST: &str = "\
Examples:
  jlsys kernel list
  jlsys kernel list --json";

pub(super) const KERNEL_REMOVE: &str = "\
Examples:
  jlsys kernel remove                     all that jlsys installed
  jlsys kernel remove julia-1.10-jlsys    one of them";
