//! In which order workloads run that may feed each other.

use std::cmp::Ordering;
use std::path::Path;

use super::Workload;

/// Puts the notebooks of a folder behind each other, by name; each chain is where its first was. One that reads what another wrote
/// finds it, whatever else runs at the same time. Where one of them names a folder above its own, all notebooks are in one chain. Everything else is a
/// chain of its own.
pub(super) fn chains(workloads: &[Workload]) -> Vec<Vec<&Workload>> {
    let mut chains: Vec<Vec<&Workload>> = Vec::new();
    let is_one = workloads.iter().any(names_a_folder_above);
    let notebook_folder =
        |workload| notebook_folder(workload).map(|folder| if is_one { Path::new("") } else { folder });
    for workload in workloads {
        let folder = notebook_folder(workload);
        let chain = chains.iter_mut().find(|chain| folder.is_some() && notebook_folder(chain[0]) == folder);
        match chain {
            Some(chain) => chain.push(workload),
            None => chains.push(vec![workload]),
        }
    }
    for chain in &mut chains {
        chain.sort_by(|a, b| by_name(&a.name(), &b.name()));
    }
    chains
}

/// Whether it may read or write what lies in another notebook's folder.
fn names_a_folder_above(workload: &Workload) -> bool {
    matches!(workload, Workload::Notebook(notebook) if notebook.cells.iter().any(|cell| cell.contains("..\"") || cell.contains("../")))
}

fn notebook_folder(workload: &Workload) -> Option<&Path> {
    match workload {
        Workload::Notebook(notebook) => notebook.name.parent(),
        Workload::Load | Workload::Tests(_) | Workload::Kernel(_) | Workload::Script(_) => None,
    }
}

/// As a list of files has them: `2-fit` before `10-plot`.
fn by_name(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let ((digits_a, rest_a), (digits_b, rest_b)) = (leading_digits(a), leading_digits(b));
        let order = if digits_a.is_empty() || digits_b.is_empty() {
            let (next_a, next_b) = (a.chars().next(), b.chars().next());
            (a, b) = (&a[next_a.map_or(0, char::len_utf8)..], &b[next_b.map_or(0, char::len_utf8)..]);
            next_a.cmp(&next_b)
        } else {
            (a, b) = (rest_a, rest_b);
            let (value_a, value_b) = (digits_a.trim_start_matches('0'), digits_b.trim_start_matches('0'));
            value_a.len().cmp(&value_b.len()).then_with(|| value_a.cmp(value_b))
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

fn leading_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Sha256Digest;
    use crate::workload::{Notebook, Script};

    fn notebook(name: &str, cell: &str) -> Workload {
        let (name, path) = (name.into(), Path::new("/p").join(name));
        let cells = vec![cell.to_owned()];
        Workload::Notebook(Notebook { name, path, cells, with_commands: 0, sha256: Sha256Digest::of("") })
    }

    fn names(workloads: &[Workload]) -> Vec<Vec<String>> {
        chains(workloads).iter().map(|chain| chain.iter().map(|workload| workload.name()).collect()).collect()
    }

    #[test]
    fn notebooks_of_one_folder_are_in_one_chain() {
        let script = Workload::Script(Script {
            name: "precompile.jl".into(),
            path: "/p/precompile.jl".into(),
            sha256: Sha256Digest::of(""),
        });
        let all = ["10-plot.ipynb", "b/2.ipynb", "2-fit.ipynb", "b/1.ipynb", "1 read.ipynb"];
        let mut workloads: Vec<Workload> = all.into_iter().map(|name| notebook(name, "1:10; x...")).collect();
        workloads.insert(1, script);
        let expected: [&[&str]; 3] = [
            &["1 read.ipynb", "2-fit.ipynb", "10-plot.ipynb"],
            &["precompile.jl"],
            &["b/1.ipynb", "b/2.ipynb"],
        ];
        assert_eq!(names(&workloads), expected);
    }

    #[test]
    fn those_that_reach_into_other_folders_are_in_one_chain() {
        for cell in ["write(\"../data.txt\", \"x\")", "joinpath(@__DIR__, \"..\", \"data.txt\")"] {
            let workloads = [notebook("b/2-read.ipynb", "1"), notebook("a/1-write.ipynb", cell)];
            assert_eq!(names(&workloads), [["a/1-write.ipynb", "b/2-read.ipynb"]]);
        }
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        for (a, b) in
            [("a2", "a10"), ("a", "b"), ("a", "a1"), ("02x", "2y"), ("9", "10"), ("ä1", "ä2"), ("x1", "xa")]
        {
            assert_eq!(by_name(a, b), Ordering::Less, "{a} {b}");
            assert_eq!(by_name(b, a), Ordering::Greater, "{b} {a}");
        }
        assert_eq!(by_name("a1", "a1"), Ordering::Equal);
    }
}
