//! No two modules import one another, neither directly nor by way of others.
//!
//! In core a module is a child of the root with all below it. In the server it is a file; a module and the modules
//! inside it may import one another.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, read_sources};

/// What each module imports, and in which file.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn modules_of_core_import_each_other_in_one_direction() {
    let sources = read_sources("apiflow-core");
    let mut graph = Graph::new();
    for source in sources.iter().filter(|source| source.path != "lib.rs") {
        let module = module_of(source);
        for path in imports(source) {
            if let Some(imported) = path.first().filter(|imported| **imported != module[0]) {
                graph.entry(module[0].clone()).or_default().insert(imported.clone(), source.path.clone());
            }
        }
    }
    assert_no_cycle(&graph);
}

#[test]
fn files_of_the_server_import_each_other_in_one_direction() {
    let sources = read_sources("apiflow-server");
    let modules: BTreeMap<Vec<String>, &Source> = sources.iter().map(|source| (module_of(source), source)).collect();
    let mut graph = Graph::new();
    for (module, source) in modules.iter().filter(|(module, _)| !module.is_empty()) {
        for path in imports(source) {
            let imported = resolve(&modules, &path);
            if imported.is_empty() || imported.starts_with(module) || module.starts_with(&imported) {
                continue;
            }
            graph.entry(module.join("::")).or_default().insert(imported.join("::"), source.path.clone());
        }
    }
    assert_no_cycle(&graph);
}

/// The path of a file's module: `["jobs", "views"]` for `jobs/views.rs`, nothing for the root.
fn module_of(source: &Source) -> Vec<String> {
    let path = source.path.trim_end_matches(".rs");
    if matches!(path, "lib" | "main") { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The paths that a file names, from the root of its crate.
fn imports(source: &Source) -> Vec<Vec<String>> {
    let module = module_of(source);
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in source.code.match_indices(start) {
            let before = &source.code[..at];
            if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
                continue;
            }
            let mut rest = &source.code[at..];
            let mut base = if start == "crate::" { Vec::new() } else { module.clone() };
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
            read_tree(rest, &base, &mut paths);
        }
    }
    paths
}

/// Reads a path, or the tree of a `use`, that begins the text; returns what follows it.
fn read_tree<'t>(text: &'t str, base: &[String], paths: &mut Vec<Vec<String>>) -> &'t str {
    let mut path = base.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(mut inside) = rest.strip_prefix('{') {
            loop {
                inside = inside.trim_start().trim_start_matches(',').trim_start();
                if let Some(after) = inside.strip_prefix('}') {
                    return after;
                }
                let after = read_tree(inside, &path, paths);
                let after = after.trim_start();
                // The rest of `name as other`.
                let end = after.find([',', '}']).unwrap_or(after.len());
                if after.len() == inside.len() || end == after.len() {
                    return after;
                }
                inside = &after[end..];
            }
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || name == "self" {
            paths.push(path);
            return after;
        }
        path.push(name.to_owned());
        match after.strip_prefix("::") {
            Some(after) => rest = after,
            None => {
                paths.push(path);
                return after;
            }
        }
    }
}

/// The module that a path leads to: the longest part of it that is one, or where that one takes the next name from.
fn resolve(modules: &BTreeMap<Vec<String>, &Source>, path: &[String]) -> Vec<String> {
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length])).unwrap_or_default();
    let module = path[..length].to_vec();
    let Some((source, name)) = modules.get(&module).zip(path.get(length)) else { return module };
    let children = modules.keys().filter(|child| child.len() == length + 1 && child.starts_with(&module));
    for child in children {
        let mut exported = Vec::new();
        for (at, start) in source.code.match_indices(&format!("use {}::", child[length])) {
            read_tree(&source.code[at + start.len()..], child, &mut exported);
        }
        for (at, start) in source.code.match_indices(&format!("use self::{}::", child[length])) {
            read_tree(&source.code[at + start.len()..], child, &mut exported);
        }
        if let Some(found) = exported.iter().find(|exported| exported.last() == Some(name)) {
            return resolve(modules, found);
        }
    }
    module
}

fn assert_no_cycle(graph: &Graph) {
    for start in graph.keys() {
        if let Some(cycle) = find_cycle(graph, start) {
            let steps: Vec<String> = cycle
                .windows(2)
                .map(|pair| format!("`{}` imports `{}` in {}", pair[0], pair[1], graph[&pair[0]][&pair[1]]))
                .collect();
            panic!("modules import one another:\n{}", steps.join("\n"));
        }
    }
}

/// The shortest way from a module back to itself.
fn find_cycle(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut ways = std::collections::VecDeque::from([vec![start.to_owned()]]);
    while let Some(way) = ways.pop_front() {
        let last = way.last().expect("a way has a first module");
        for next in graph.get(last).into_iter().flat_map(BTreeMap::keys) {
            let longer: Vec<String> = way.iter().cloned().chain([next.clone()]).collect();
            if next == start {
                return Some(longer);
            }
            if reached.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}
