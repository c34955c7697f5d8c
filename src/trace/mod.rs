//! What workloads were seen to compile: traces become statements that can be replayed.
//! (stand-in until the module lands)
#![expect(missing_docs, reason = "stand-in")]
use crate::environment::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner { Base, Package(Uuid) }
pub struct Modules { names: Vec<(String, Uuid)> , base: BTreeSet<String>}
impl Modules {
    pub fn new(p: impl IntoIterator<Item = (String, Uuid)>, b: impl IntoIterator<Item = String>) -> Self { Self { names: p.into_iter().collect(), base: b.into_iter().collect() } }
}
pub struct Statement { text: String, owner: Owner }
impl Statement {
    pub fn parse(line: &str, m: &Modules) -> Result<Self, &'static str> {
        if line.contains("Main.") || line.contains("var\"#") { return Err("other"); }
        let owner = m.names.iter().rev().find(|(n, _)| line.contains(&format!("{n}."))).map_or(Owner::Base, |x| Owner::Package(x.1));
        let _ = &m.base;
        Ok(Self { text: line.to_owned(), owner })
    }
    pub fn text(&self) -> &str { &self.text }
    pub fn owner(&self) -> Owner { self.owner }
}
pub struct Collector<W> { m: Modules, out: W, seen: BTreeSet<String>, totals: Totals }
#[derive(Default)]
pub struct Totals { pub lines: u64, pub kept: u64, pub dropped: BTreeMap<&'static str, u64>, pub by_owner: BTreeMap<Owner, u64> }
pub struct TraceCounts { pub lines: u64 }
impl<W: Write> Collector<W> {
    pub fn new(m: Modules, out: W) -> Self { Self { m, out, seen: BTreeSet::new(), totals: Totals::default() } }
    pub fn read(&mut self, r: impl BufRead) -> io::Result<TraceCounts> {
        let mut lines = 0;
        for line in r.lines() {
            let line = line?; lines += 1; self.totals.lines += 1;
            match Statement::parse(&line, &self.m) {
                Ok(s) => if self.seen.insert(line.clone()) { self.totals.kept += 1; *self.totals.by_owner.entry(s.owner).or_default() += 1; writeln!(self.out, "{line}")?; },
                Err(r) => *self.totals.dropped.entry(r).or_default() += 1,
            }
        }
        Ok(TraceCounts { lines })
    }
    pub fn finish(mut self) -> io::Result<Totals> { self.out.flush()?; Ok(self.totals) }
}
pub fn select(i: impl BufRead, mut o: impl Write, m: &Modules, mut keep: impl FnMut(&Statement) -> bool) -> io::Result<u64> {
    let mut n = 0;
    for line in i.lines() { let line = line?; if let Ok(s) = Statement::parse(&line, m) && keep(&s) { writeln!(o, "{}", s.text)?; n += 1; } }
    Ok(n)
}
