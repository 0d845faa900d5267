//! No file of the server imports itself, directly or by way of others, and neither does a domain.
//!
//! An edge leads from a file to each file that it names with `use`, or with a path that begins with `crate` or `super`.
//! Re-exports are followed to the file that has the item; tests inside of files are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module by the segments of its path; empty for the crate's root.
type Module = Vec<String>;

/// Which modules a module names.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// What every request works with holds data of all domains, and their services know it.
const STATE: &str = "state";

/// The source of a module.
struct Source {
    /// All paths that it names, from the crate's root, each with whether it is re-exported.
    paths: Vec<(Module, bool)>,
}

fn read_sources(folder: &Path, module: &[String], sources: &mut BTreeMap<Module, Source>) {
    for entry in fs::read_dir(folder).expect("the folder of sources can be read") {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("names are UTF-8").to_owned();
        let inner: Module = module.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            read_sources(&path, &inner, sources);
        } else if !matches!(name.as_str(), "main" | "tests") {
            let module = if name == "lib" { Module::new() } else { inner };
            let text = fs::read_to_string(&path).expect("a source can be read");
            let paths = paths_of(&module, text.split("#[cfg(test)]").next().unwrap_or_default());
            sources.insert(module, Source { paths });
        }
    }
}

/// The paths that a source names.
fn paths_of(module: &[String], text: &str) -> Vec<(Module, bool)> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = ["crate::", "super::", "self::"].iter().filter_map(|word| rest.find(word)).min() {
        let before = rest[..at].trim_end().rsplit('\n').next().unwrap_or_default();
        let is_import = before.ends_with("use");
        let is_reexport = is_import && before.trim_start().starts_with("pub");
        let end = if is_import {
            rest[at..].find(';')
        } else {
            rest[at..].find(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | ':'))
        };
        let end = end.map_or(rest.len(), |length| at + length);
        let leaves = leaves_of(&rest[at..end].split_whitespace().collect::<String>());
        found.extend(leaves.iter().map(|leaf| (absolute(module, leaf), is_reexport)));
        rest = &rest[end.max(at + 1)..];
    }
    found
}

/// The single paths of a tree such as `a::{b, c::{d, e}}`.
fn leaves_of(tree: &str) -> Vec<String> {
    let Some((before, group)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut parts) = (0_usize, vec![String::new()]);
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if letter != ',' || depth > 0 => part.push(letter),
            Some(_) | None => parts.push(String::new()),
        }
    }
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.flat_map(|part| leaves_of(part).into_iter().map(|leaf| format!("{before}{leaf}"))).collect()
}

fn absolute(module: &[String], path: &str) -> Module {
    let mut base = Vec::new();
    for segment in path.split("::").filter(|segment| !segment.is_empty()) {
        match segment {
            "crate" => base.clear(),
            "self" if base.is_empty() => base = module.to_vec(),
            "super" if base.is_empty() => base = module[..module.len().saturating_sub(1)].to_vec(),
            "super" => drop(base.pop()),
            other => base.push(other.to_owned()),
        }
    }
    base
}

/// The module that has what a path names.
fn resolve(sources: &BTreeMap<Module, Source>, path: &[String]) -> Module {
    let mut path = path.to_vec();
    // A re-export may name another one.
    for _ in 0..5 {
        let length = (0..=path.len()).rev().find(|length| sources.contains_key(&path[..*length])).unwrap_or_default();
        let (module, item) = (&path[..length], path.get(length));
        let source = sources.get(module).zip(item);
        let exported = source.and_then(|(source, item)| {
            source.paths.iter().find(|(path, is_reexport)| *is_reexport && path.last() == Some(item))
        });
        match exported {
            Some((target, _)) => path = target.iter().chain(&path[length + 1..]).cloned().collect(),
            None => return module.to_vec(),
        }
    }
    path
}

/// Which file names which.
fn edges(sources: &BTreeMap<Module, Source>) -> Vec<(Module, Module)> {
    let mut edges = Vec::new();
    for (module, source) in sources.iter().filter(|(module, _)| !module.is_empty()) {
        for (path, is_reexport) in &source.paths {
            if *is_reexport && path.starts_with(module) {
                continue;
            }
            let target = resolve(sources, path);
            if target != *module && !target.is_empty() {
                edges.push((module.clone(), target));
            }
        }
    }
    edges
}

/// A way from a node back to itself, if there is one.
fn find_cycle(graph: &Graph) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| visit(graph, start, &mut Vec::new(), &mut done))
}

fn visit(graph: &Graph, node: &str, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
    if let Some(at) = way.iter().position(|visited| visited == node) {
        return Some(way[at..].iter().cloned().chain([node.to_owned()]).collect());
    }
    if !done.insert(node.to_owned()) {
        return None;
    }
    way.push(node.to_owned());
    let cycle = graph.get(node).into_iter().flatten().find_map(|next| visit(graph, next, way, done));
    way.pop();
    cycle
}

fn check(name: &str, edges: impl Iterator<Item = (String, String)>) {
    let mut graph = Graph::new();
    for (from, to) in edges {
        graph.entry(from).or_default().insert(to);
    }
    assert!(graph.len() > 5, "the imports of {name} were not found");
    let cycle = find_cycle(&graph);
    assert!(cycle.is_none(), "{name} import each other: {}", cycle.unwrap_or_default().join(" -> "));
}

#[test]
fn no_file_or_domain_imports_itself_by_way_of_others() {
    let mut sources = BTreeMap::new();
    read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut sources);
    let edges = edges(&sources);
    check("files", edges.iter().map(|(from, to)| (from.join("::"), to.join("::"))));
    let domains = edges.iter().map(|(from, to)| (from[0].clone(), to[0].clone()));
    check("domains", domains.filter(|(from, to)| from != to && from != STATE));
}

#[test]
fn a_cycle_is_found_and_named() {
    let graph: Graph = [("a", "b"), ("b", "c"), ("c", "b")]
        .map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])))
        .into();
    assert_eq!(find_cycle(&graph), Some(["b", "c", "b"].map(str::to_owned).to_vec()));
    assert_eq!(leaves_of("crate::a::{B,c::{D,E}}"), ["crate::a::B", "crate::a::c::D", "crate::a::c::E"]);
}
