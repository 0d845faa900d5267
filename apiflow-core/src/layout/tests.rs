#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Direction, Layout, LayoutNode, LayoutOptions, layout_document};

fn drawn(document: &Value, direction: Direction) -> Layout {
    let options = LayoutOptions { direction: Some(direction), aspect: None };
    layout_document(document, &options)
}

fn workflow(modules: &Value) -> Value {
    json!({"summary": "", "value": {"modules": modules}})
}

fn step(id: &str) -> Value {
    json!({"id": id, "value": {"type": "identity"}})
}

fn looped(id: &str, modules: &[Value]) -> Value {
    json!({"id": id, "value": {"type": "whileloopflow", "modules": modules}})
}

fn branch_one(id: &str, branches: &[Vec<Value>], default: &[Value]) -> Value {
    let branches: Vec<Value> = branches.iter().map(|modules| json!({"expr": "x", "modules": modules})).collect();
    json!({"id": id, "value": {"type": "branchone", "branches": branches, "default": default}})
}

fn branch_all(id: &str, branches: &[Vec<Value>]) -> Value {
    let branches: Vec<Value> = branches.iter().map(|modules| json!({"modules": modules})).collect();
    json!({"id": id, "value": {"type": "branchall", "branches": branches}})
}

/// Returns the points of a path: corners are points, curves are treated as straight lines.
fn points(path: &str) -> Vec<(i32, i32)> {
    let spaced: String = path.chars().map(|c| if c.is_ascii_alphabetic() { ' ' } else { c }).collect();
    let numbers: Vec<i32> = spaced.split_whitespace().map(|n| n.parse().unwrap()).collect();
    numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect()
}

fn on_border(node: &LayoutNode, (x, y): (i32, i32)) -> bool {
    let (right, bottom) = (node.x + node.width, node.y + node.height);
    let inside = (node.x..=right).contains(&x) && (node.y..=bottom).contains(&y);
    inside && (x == node.x || x == right || y == node.y || y == bottom)
}

/// Returns whether a straight part of an edge crosses the inner part of a node.
fn crosses(node: &LayoutNode, a: (i32, i32), b: (i32, i32)) -> bool {
    let over = |low: i32, high: i32, p: i32, q: i32| p.min(q) < high && p.max(q) > low;
    let within = |low: i32, high: i32, p: i32| low < p && p < high;
    let (right, bottom) = (node.x + node.width, node.y + node.height);
    if a.0 == b.0 {
        within(node.x, right, a.0) && over(node.y, bottom, a.1, b.1)
    } else {
        within(node.y, bottom, a.1) && over(node.x, right, a.0, b.0)
    }
}

/// Checks what holds for every diagram.
fn check_sound(document: &Value) {
    for direction in [Direction::Down, Direction::Right] {
        let picture = drawn(document, direction);
        assert_eq!(picture, drawn(document, direction), "equal documents give equal pictures");
        let by_id: BTreeMap<&str, &LayoutNode> = picture.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        assert_eq!(by_id.len(), picture.nodes.len(), "ids are unique");
        let edge_ids: BTreeSet<&str> = picture.edges.iter().map(|edge| edge.id.as_str()).collect();
        assert_eq!(edge_ids.len(), picture.edges.len(), "ids of edges are unique");
        let cards: Vec<&LayoutNode> =
            picture.nodes.iter().filter(|node| !["group", "step_group"].contains(&node.kind.as_str())).collect();
        for (index, a) in cards.iter().enumerate() {
            for b in &cards[index + 1..] {
                let apart =
                    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
                assert!(apart, "{a:?} and {b:?} overlap");
            }
        }
        for node in &picture.nodes {
            let (width, height) = node.parent.as_ref().map_or((picture.width, picture.height), |_| (0, 0));
            let (x, y, width, height) = node.parent.as_ref().map_or((0, 0, width, height), |id| {
                let group = by_id[id.as_str()];
                (group.x, group.y, group.width, group.height)
            });
            let inside =
                node.x >= x && node.y >= y && node.x + node.width <= x + width && node.y + node.height <= y + height;
            assert!(inside, "{node:?} is outside of {:?}", node.parent);
        }
        check_insertion_pointers(document, &picture);
        for edge in &picture.edges {
            let way = points(&edge.path);
            let (source, target) = (by_id[edge.source.as_str()], by_id[edge.target.as_str()]);
            assert!(on_border(source, way[0]), "{edge:?} starts away from {source:?}");
            assert!(on_border(target, *way.last().unwrap()), "{edge:?} ends away from {target:?}");
            for pair in way.windows(2).filter(|pair| pair[0].0 == pair[1].0 || pair[0].1 == pair[1].1) {
                for card in &cards {
                    assert!(!crosses(card, pair[0], pair[1]), "{edge:?} runs through {card:?}");
                }
            }
        }
    }
}

/// Checks that a module can be inserted at each place that an edge names, and that no place is named twice.
fn check_insertion_pointers(document: &Value, picture: &Layout) {
    let named: Vec<&str> = picture.edges.iter().filter_map(|edge| edge.insert_at.as_deref()).collect();
    let unique: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(unique.len(), named.len(), "{named:?}");
    for pointer in named {
        let (list, index) = pointer.rsplit_once('/').unwrap();
        let length = document.pointer(list).and_then(Value::as_array).map_or(0, Vec::len);
        assert!(index.parse::<usize>().unwrap() <= length, "{pointer} is outside of a list of {length}");
    }
}

fn check_order(document: &Value, expected: &[&str]) {
    let picture = drawn(document, Direction::Down);
    let found: Vec<&str> = picture.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(found, expected);
    check_sound(document);
}

fn check_edges(document: &Value, expected: &[(&str, &str, &str)]) {
    let picture = drawn(document, Direction::Down);
    let found: Vec<(&str, &str, &str)> =
        picture.edges.iter().map(|edge| (edge.source.as_str(), edge.target.as_str(), edge.kind.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_workflow_or_empty_has_a_start_and_an_end() {
    for document in [json!(null), json!({}), json!([1]), workflow(&json!([])), workflow(&json!("x"))] {
        check_order(&document, &["@start", "@end"]);
        check_edges(&document, &[("@start", "@end", "next")]);
    }
}

#[test]
fn a_list_is_a_straight_line() {
    let document = workflow(&json!([step("a"), step("b")]));
    check_order(&document, &["@start", "a", "b", "@end"]);
    let picture = drawn(&document, Direction::Down);
    let card = &picture.nodes[1];
    assert_eq!((card.width, card.height, card.x, card.y), (220, 64, 0, 88));
    assert_eq!(picture.edges[1].path, "M110 152L110 200");
    assert_eq!((picture.width, picture.height), (220, 352));
    let across = drawn(&document, Direction::Right);
    assert_eq!(across.edges[1].path, "M404 32L468 32");
}

#[test]
fn a_branch_fans_out_and_joins() {
    let document = workflow(&json!([branch_one("b", &[vec![step("x"), step("y")], vec![]], &[step("z")])]));
    check_order(&document, &["@start", "b", "x", "y", "z", "b@join", "@end"]);
    check_edges(
        &document,
        &[
            ("@start", "b", "next"),
            ("b", "x", "branch"),
            ("b", "z", "branch"),
            ("b", "b@join", "branch"),
            ("x", "y", "next"),
            ("y", "b@join", "join"),
            ("z", "b@join", "join"),
            ("b@join", "@end", "next"),
        ],
    );
    let labels: Vec<Option<String>> =
        drawn(&document, Direction::Down).edges.into_iter().map(|edge| edge.label).collect();
    assert_eq!(labels[1].as_deref(), Some("x"));
    assert_eq!(labels[2].as_deref(), Some("default"));
}

#[test]
fn a_loop_is_a_group_with_a_way_back() {
    let document = workflow(&json!([looped("l", &[step("x")]), step("after")]));
    check_order(&document, &["@start", "l@group", "l", "x", "l@end", "after", "@end"]);
    check_edges(
        &document,
        &[
            ("@start", "l", "next"),
            ("l", "x", "next"),
            ("x", "l@end", "next"),
            ("l@end", "l", "loop"),
            ("l@end", "after", "next"),
            ("after", "@end", "next"),
        ],
    );
    let picture = drawn(&document, Direction::Down);
    assert_eq!(picture.nodes[3].parent.as_deref(), Some("l@group"));
    assert_eq!(picture.nodes[5].parent, None);
}

#[test]
fn edges_name_the_place_of_a_module_inserted_on_them() {
    let mut document =
        workflow(&json!([looped("l", &[]), branch_one("b", &[vec![step("x")], vec![]], &[]), branch_all("p", &[])]));
    document["value"]["preprocessor_module"] = step("pre");
    let found: Vec<(String, Option<String>)> =
        drawn(&document, Direction::Down).edges.into_iter().map(|edge| (edge.id, edge.insert_at)).collect();
    let expected = [
        ("@start>pre", None),
        ("pre>l", Some("/value/modules/0")),
        ("l>l@end", Some("/value/modules/0/value/modules/0")),
        ("l@end>l", None),
        ("l@end>b", Some("/value/modules/1")),
        ("b>x", Some("/value/modules/1/value/branches/0/modules/0")),
        ("b>b@join", Some("/value/modules/1/value/branches/1/modules/0")),
        ("b>b@join+", Some("/value/modules/1/value/default/0")),
        ("x>b@join", Some("/value/modules/1/value/branches/0/modules/1")),
        ("b@join>p", Some("/value/modules/2")),
        ("p>p@join", None),
        ("p@join>@end", Some("/value/modules/3")),
    ];
    for (id, pointer) in expected {
        let edge = found.iter().find(|(found, _)| found == id);
        assert_eq!(edge.map(|(_, at)| at.as_deref()), Some(pointer), "{id}");
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn a_failure_handler_stands_beside_the_program() {
    let mut document = workflow(&json!([step("a")]));
    document["value"]["failure_module"] = looped("failure", &[step("f")]);
    check_order(&document, &["@start", "a", "@end", "failure@group", "failure", "f", "failure@end"]);
    let picture = drawn(&document, Direction::Down);
    assert!(picture.edges.iter().any(|edge| edge.kind == "failure" && edge.target == "failure"));
}

#[test]
fn a_module_without_an_id_of_its_own_goes_by_its_pointer() {
    let document = workflow(&json!([step("a"), step("a"), step(""), 5, {"id": "u", "value": {"type": "zzz"}}]));
    check_order(&document, &["@start", "a", "/value/modules/1", "/value/modules/2", "/value/modules/3", "u", "@end"]);
    let kinds: Vec<String> = drawn(&document, Direction::Down).nodes.into_iter().map(|node| node.kind).collect();
    assert_eq!(kinds[3..6], ["identity", "unknown", "unknown"]);
}

#[test]
fn the_direction_fits_the_pane() {
    let steps: Vec<Value> = (0..6).map(|n| step(&format!("s{n}"))).collect();
    let document = workflow(&json!(steps));
    let check = |aspect: Option<f64>, expected: Direction| {
        let options = LayoutOptions { direction: None, aspect };
        assert_eq!(layout_document(&document, &options).direction, expected, "{aspect:?}");
    };
    check(None, Direction::Down);
    check(Some(0.5), Direction::Down);
    check(Some(6.0), Direction::Right);
    check(Some(f64::NAN), Direction::Down);
    check(Some(-1.0), Direction::Down);
}

#[test]
fn options_may_be_left_out() {
    let right = LayoutOptions { direction: Some(Direction::Right), aspect: Some(1.5) };
    assert_eq!(LayoutOptions::from_json(&json!({"direction": "right", "aspect": 1.5, "more": 1})), Some(right));
    for nothing in [json!({}), json!({"direction": null, "aspect": null})] {
        assert_eq!(LayoutOptions::from_json(&nothing), Some(LayoutOptions::default()));
    }
    for wrong in [json!([]), json!({"direction": "up"}), json!({"direction": 1}), json!({"aspect": "wide"})] {
        assert_eq!(LayoutOptions::from_json(&wrong), None, "{wrong}");
    }
}

/// Adds groups to a workflow, each from one step to another.
fn grouped(mut document: Value, groups: &[(&str, &str)]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|(start, end)| json!({"start_id": start, "end_id": end})).collect();
    document["value"]["groups"] = json!(groups);
    document
}

#[test]
fn a_group_is_a_frame_around_its_steps() {
    let document = workflow(&json!([step("a"), looped("l", &[step("x"), step("y")]), step("b"), step("c")]));
    let order = |groups: &[(&str, &str)], expected: &[&str]| check_order(&grouped(document.clone(), groups), expected);
    let (outer, inner) = ("/value/groups/0", "/value/groups/1");
    let plain = ["@start", "a", "l@group", "l", "x", "y", "l@end", "b", "c", "@end"];
    order(&[], &plain);
    order(&[("l", "b")], &["@start", "a", outer, "l@group", "l", "x", "y", "l@end", "b", "c", "@end"]);
    order(&[("b", "a")], &["@start", outer, "a", "l@group", "l", "x", "y", "l@end", "b", "c", "@end"]);
    order(
        &[("a", "c"), ("x", "y")],
        &["@start", outer, "a", "l@group", "l", inner, "x", "y", "l@end", "b", "c", "@end"],
    );
    // The order of the groups in the document does not matter, except for two with the same steps.
    order(
        &[("a", "a"), ("a", "b")],
        &["@start", inner, outer, "a", "l@group", "l", "x", "y", "l@end", "b", "c", "@end"],
    );
    order(
        &[("c", "c"), ("c", "c")],
        &["@start", "a", "l@group", "l", "x", "y", "l@end", "b", outer, inner, "c", "@end"],
    );
    for ignored in [("a", "none"), ("", ""), ("a", "x")] {
        order(&[ignored], &plain);
    }
    order(&[("a", "b"), ("b", "c")], &["@start", outer, "a", "l@group", "l", "x", "y", "l@end", "b", "c", "@end"]);
}

#[test]
fn steps_are_inserted_before_and_behind_a_group() {
    let picture = drawn(&grouped(workflow(&json!([step("a"), step("b"), step("c")])), &[("b", "b")]), Direction::Down);
    let frame = picture.nodes.iter().find(|node| node.kind == "step_group").unwrap();
    let places: Vec<(&str, bool)> = picture
        .edges
        .iter()
        .map(|edge| (edge.insert_at.as_deref().unwrap(), on_border(frame, (frame.x, edge.label_y))))
        .collect();
    let outside = |at| (at, false);
    assert_eq!(places, ["/value/modules/0", "/value/modules/1", "/value/modules/2", "/value/modules/3"].map(outside));
}

/// Generates lists of modules of any shape, at most five levels deep.
fn any_modules() -> impl Strategy<Value = Vec<Value>> {
    let leaf = prop_oneof![Just(step("")), Just(step("a")), Just(step("c")), Just(json!(3))];
    let module = leaf.prop_recursive(5, 40, 4, |inner| {
        let list = prop::collection::vec(inner, 0..4);
        let lists = prop::collection::vec(list.clone(), 0..4);
        prop_oneof![
            list.clone().prop_map(|modules| looped("l", &modules)),
            (lists.clone(), list).prop_map(|(lists, default)| branch_one("b", &lists, &default)),
            lists.prop_map(|lists| branch_all("p", &lists)),
        ]
    });
    prop::collection::vec(module, 0..5)
}

/// Generates groups, also of steps that may not exist or not be neighbours.
fn any_groups() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[abclp]", "[abclp]"), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_picture_is_sound(modules in any_modules(), failure in any_modules(), groups in any_groups()) {
        let groups: Vec<(&str, &str)> = groups.iter().map(|(start, end)| (start.as_str(), end.as_str())).collect();
        let mut document = grouped(workflow(&json!(modules)), &groups);
        if let Some(handler) = failure.first() {
            document["value"]["failure_module"] = handler.clone();
        }
        check_sound(&document);
    }
}
