//! The `jlsys` command.

fn main() {}
