//! The order of the house: a module takes from those below it alone, and no two take from each other.
//!
//! CONTRIBUTING.md draws the same order.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use walkdir::WalkDir;

/// The modules, the lowest first. Those of one layer take nothing from each other.
const LAYERS: &[&[&str]] = &[
    &["cpu", "duration", "file", "output", "problem", "process", "toml_error", "uuid", "version", "words"],
    &["budget", "environment", "progress", "signing", "trace"],
    &["julia", "location"],
    &["workload"],
    &["config"],
    &["plan"],
    &["fallback", "key"],
    &["report", "world"],
    &["sysimage"],
    &["startup"],
    &["cache"],
    &["kernel", "remote"],
    &["error"],
    &["prepare", "profile"],
    &["state", "stuck"],
    &["pipeline"],
    &["binder", "cli"],
    &["commands"],
];

/// A module's path below the crate, such as `cache::entry`; empty for the crate itself.
type Module = String;

/// What a file says that matters here.
struct Source {
    file: PathBuf,
    /// The paths that begin with `crate`, `super` or `self`.
    own: Vec<Vec<String>>,
    /// All others: of other crates, and of modules in this one's folder.
    others: Vec<Vec<String>>,
}

#[test]
fn every_module_has_its_layer() {
    let ordered: Vec<&str> = LAYERS.iter().flat_map(|layer| layer.iter().copied()).collect();
    let there: BTreeSet<String> = sources().into_keys().map(|module| top(&module).to_owned()).collect();
    let there: Vec<&str> = there.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let mut sorted = ordered.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, there, "LAYERS lists the modules of src/, each once");
}

#[test]
fn a_module_takes_from_those_below_it_alone() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (module, source) in &sources {
        for (other, _) in taken(module, source, &sources) {
            let is_below = layer_of(&other) < layer_of(module) || top(module).is_empty();
            if top(&other) != top(module) && !is_below {
                wrong.push(format!("{} takes from `{}`", source.file.display(), top(&other)));
            }
        }
    }
    assert!(wrong.is_empty(), "what stands above may not be used:\n{}", wrong.join("\n"));
}

#[test]
fn no_two_files_of_a_module_take_from_each_other() {
    let sources = sources();
    let mut graph: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, source) in &sources {
        for (other, item) in taken(module, source, &sources) {
            let other = defined_in(&other, &item, &sources);
            // A folder's own file knows what is in the folder, which may use what it defines.
            let is_family = is_within(&other, module) || is_within(module, &other);
            if top(&other) == top(module) && !is_family {
                graph.entry(module.clone()).or_default().insert(other);
            }
        }
    }
    let circles: Vec<&Module> = graph.keys().filter(|module| reaches(&graph, module, module)).collect();
    assert!(circles.is_empty(), "these files take from each other in a circle: {circles:?}");
}

#[test]
fn only_one_module_starts_processes() {
    for (module, source) in sources() {
        let starts = |path: &Vec<String>| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            matches!(path.as_slice(), ["duct", ..] | ["std" | "tokio", "process", "Command", ..])
        };
        assert!(top(&module) == "process" || !source.others.iter().any(starts), "{}", source.file.display());
    }
}

#[test]
fn the_picture_shows_this_order() {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let picture = text.split("```mermaid").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let words: BTreeSet<&str> = picture.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let missing: Vec<_> =
        LAYERS.iter().copied().flatten().filter(|module| !words.contains(**module)).collect();
    assert!(missing.is_empty(), "CONTRIBUTING.md draws the house without {missing:?}");
    for (users, used) in picture.lines().filter_map(|line| line.split_once("-->")) {
        for user in users.split('&').map(str::trim) {
            for used in used.split('&').map(str::trim) {
                assert!(
                    layer_of(used) < layer_of(user),
                    "CONTRIBUTING.md has an arrow from {user} to {used}"
                );
            }
        }
    }
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let source = read(
        "use crate::a::{self, b::{C, D as E}};\nfn f() { super::g::<u8>(\"crate::no\"); }\n// crate::no\n\
         #[cfg(test)]\nmod tests { use crate::no; }\npub use child::Thing;",
    );
    let joined: Vec<String> = source.own.iter().map(|path| path.join("::")).collect();
    assert_eq!(joined, ["crate::a::self", "crate::a::b::C", "crate::a::b::D", "super::g"]);
    assert!(source.others.contains(&vec!["child".to_owned(), "Thing".to_owned()]));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of the library, by module.
fn sources() -> BTreeMap<Module, Source> {
    let folder = root().join("src");
    let files = WalkDir::new(&folder).into_iter().map(|file| file.unwrap().into_path());
    let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    files
        .filter(|file| !file.ends_with("src/main.rs"))
        .map(|file| {
            let inner = file.strip_prefix(&folder).unwrap().with_extension("");
            let parts: Vec<&str> = inner.iter().map(|part| part.to_str().unwrap()).collect();
            let module = match parts.as_slice() {
                ["lib"] => String::new(),
                [folder @ .., "mod"] => folder.join("::"),
                parts => parts.join("::"),
            };
            let source = Source { file: file.clone(), ..read(&fs::read_to_string(&file).unwrap()) };
            (module, source)
        })
        .collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&top(module)))
}

/// The module at the top that this one is in.
fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

fn is_within(module: &str, folder: &str) -> bool {
    module.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn reaches(graph: &BTreeMap<Module, BTreeSet<Module>>, from: &str, to: &str) -> bool {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(module) = waiting.pop() {
        for next in graph.get(&module).into_iter().flatten() {
            if next == to {
                return true;
            }
            if seen.insert(next.clone()) {
                waiting.push(next.clone());
            }
        }
    }
    false
}

/// The modules that a file takes from, each with the name of what it takes.
fn taken(module: &str, source: &Source, sources: &BTreeMap<Module, Source>) -> Vec<(Module, String)> {
    let resolve = |path: &Vec<String>| {
        let mut whole: Vec<&str> = match path[0].as_str() {
            "crate" => Vec::new(),
            _ => module.split("::").filter(|part| !part.is_empty()).collect(),
        };
        for part in path {
            match part.as_str() {
                "crate" | "self" => {}
                "super" => drop(whole.pop()),
                part => whole.push(part),
            }
        }
        // As much of it as is a module; the next part is what is taken.
        let length =
            (1..=whole.len()).rev().find(|&length| sources.contains_key(&whole[..length].join("::")))?;
        let item = whole.get(length).copied().unwrap_or_default();
        Some((whole[..length].join("::"), item.to_owned()))
    };
    source.own.iter().filter_map(resolve).filter(|(other, _)| other != module).collect()
}

/// Where something is defined that a module may only pass on.
fn defined_in(module: &str, item: &str, sources: &BTreeMap<Module, Source>) -> Module {
    let passes_on = |path: &&Vec<String>| path.last().is_some_and(|last| last == item);
    let children = sources[module].others.iter().filter(passes_on);
    let mut children = children.map(|path| format!("{module}::{}", path[0]));
    children.find(|child| sources.contains_key(child)).unwrap_or_else(|| module.to_owned())
}

/// Reads a file but for its unit tests.
fn read(text: &str) -> Source {
    let mut source = Source { file: PathBuf::new(), own: Vec::new(), others: Vec::new() };
    walk(text.parse().unwrap(), &mut source);
    source
}

fn walk(stream: TokenStream, source: &mut Source) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut place = 0;
    while place < tokens.len() {
        match &tokens[place] {
            TokenTree::Group(group) if group.to_string().replace(' ', "") == "[cfg(test)]" => {
                let is_end = |token: &TokenTree| {
                    matches!(token, TokenTree::Group(body) if body.delimiter() == Delimiter::Brace)
                        || token.to_string() == ";"
                };
                place += tokens[place..].iter().position(is_end).unwrap_or(tokens.len());
            }
            TokenTree::Group(group) => walk(group.stream(), source),
            TokenTree::Ident(word)
                if is_colons(&tokens[place + 1..])
                    && (place == 0 || tokens[place - 1].to_string() != ":") =>
            {
                let is_own = word == "crate" || word == "super" || word == "self";
                let paths = if is_own { &mut source.own } else { &mut source.others };
                paths.extend(tree(&tokens[place..], &[]));
            }
            _ => {}
        }
        place += 1;
    }
}

fn is_colons(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(one), TokenTree::Punct(two), ..] if one.as_char() == ':' && two.as_char() == ':')
}

/// The paths of a tree as `use` has it, behind `prefix`.
fn tree(tokens: &[TokenTree], prefix: &[String]) -> Vec<Vec<String>> {
    match tokens {
        [TokenTree::Ident(word), rest @ ..] => {
            let path = [prefix, &[word.to_string()]].concat();
            let goes_on =
                is_colons(rest) && matches!(rest.get(2), Some(TokenTree::Ident(_) | TokenTree::Group(_)));
            if goes_on { tree(&rest[2..], &path) } else { vec![path] }
        }
        [TokenTree::Group(group), ..] => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            let parts = inner.split(|token| token.to_string() == ",");
            parts.flat_map(|part| tree(part, prefix)).collect()
        }
        _ => Vec::new(),
    }
}
