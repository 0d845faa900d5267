//! No two modules of core import one another, neither directly nor by way of others. A module is a child of the root
//! with all below it. For the files of the server `apiflow-server/tests/import_cycles.rs` says the same.

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
