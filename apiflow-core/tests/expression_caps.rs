//! At each cap's maximum the parser stays within a stack of 1 MiB, in this build too.

use std::time::{Duration, Instant};

use apiflow_core::code;
use apiflow_core::expression::{check_source_nesting, check_syntax, find_references, scan_code, wrap_expression};

/// What a browser gives a WebAssembly module by default.
const STACK_BYTES: usize = 1024 * 1024;

/// Texts that nest: what is repeated before, in the middle and after.
const SHAPES: &[(&str, &str, &str, &str)] = &[
    ("parentheses", "(", "1", ")"),
    ("arrays", "[", "1", "]"),
    ("objects", "({a:", "1", "})"),
    ("calls", "f(", "1", ")"),
    ("indices", "a[", "1", "]"),
    ("methods", "({get a(){return ", "1", "}})"),
    ("arrow bodies", "(() => {return ", "1", "})"),
    ("functions", "(function(){return ", "1", "})"),
    ("classes", "(class{a=", "1", "})"),
    ("static blocks", "(class{static{", "1", "}})"),
    ("templates", "`${", "1", "}`"),
    ("spread", "[...", "a", "]"),
    ("default parameters", "(a=", "1", ")=>a"),
    ("perhaps parameters", "(a=", "1", ")"),
    ("perhaps async parameters", "async(a=", "1", ")"),
    ("perhaps destructured parameters", "({a=", "1", "})"),
    ("perhaps parameters of a branch", "a?(", "b", "):c=>d"),
    ("not", "!", "1", ""),
    ("minus", "- ", "1", ""),
    ("plus", "+ ", "1", ""),
    ("typeof", "typeof ", "1", ""),
    ("await", "(await ", "1", ")"),
    ("arrows", "a=>", "1", ""),
    ("arrows with parentheses", "(a)=>", "1", ""),
    ("async arrows", "async a=>", "1", ""),
    ("else of a condition", "a?b:", "1", ""),
    ("then of a condition", "a?", "1", ":b"),
    ("new", "new ", "a", ""),
    ("powers", "2**", "1", ""),
    ("sums", "1+", "1", ""),
    ("members", "a.", "b", ""),
    ("optional members", "a?.", "b", ""),
    ("call chain", "", "a", "()"),
    ("tags", "", "a", "``"),
    ("commas", "1,", "1", ""),
    ("assignments", "a=", "1", ""),
    ("or", "a||", "1", ""),
    ("nullish", "a??", "1", ""),
    ("in", "a in ", "b", ""),
    ("extends", "(class extends ", "a", "{})"),
    ("regular expression groups", "(", "", ")"),
    ("regular expression classes", "[", "a", "]"),
    ("if", "if(a)", ";", ""),
    ("else", "if(a);else ", ";", ""),
    ("for", "for(;;)", ";", ""),
    ("while", "while(1)", ";", ""),
    ("do", "do ", ";", ""),
    ("labels", "l:", ";", ""),
    ("blocks", "{", ";", "}"),
    ("try", "try{", ";", "}finally{}"),
    ("switch", "switch(1){case 1:", ";", "}"),
    ("destructuring", "var[a=", "1", "]=1;"),
    ("strings", "'a'+", "'b'", ""),
];

fn text(shape: &(&str, &str, &str, &str), depth: usize) -> String {
    let (name, before, middle, after) = shape;
    let nested = format!("{}{middle}{}", before.repeat(depth), after.repeat(depth));
    match *name {
        "regular expression groups" => format!("/{nested}/"),
        "regular expression classes" => format!("/{nested}/v"),
        // Each label needs a name of its own.
        "labels" => (0..depth).fold(String::new(), |labels, number| labels + &format!("l{number}:")) + ";",
        "if" | "else" | "for" | "while" | "do" | "blocks" | "try" | "switch" => format!("if (a) {nested}"),
        _ => nested,
    }
}

/// The text of this shape that is nested as deep as [`scan`] lets pass, and the depth.
fn deepest(shape: &(&str, &str, &str, &str)) -> (String, usize) {
    let (mut passes, mut fails) = (0, 20_000);
    while fails - passes > 1 {
        let middle = usize::midpoint(passes, fails);
        if check_source_nesting(&text(shape, middle)).is_ok() { passes = middle } else { fails = middle }
    }
    (text(shape, passes), passes)
}

fn parse_on_small_stack(name: &str, source: String) {
    let began = Instant::now();
    let worker = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        // Whether the text is good JavaScript depends on its shape; that each call comes back is what is asked.
        drop((
            check_syntax(&source, false),
            check_syntax(&source, true),
            find_references(&source),
            wrap_expression(&source, true),
        ));
    });
    worker.expect("a thread starts").join().expect("the parser does not panic");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{name}: parsing took {took:?}");
}

#[test]
fn the_deepest_text_of_each_shape_is_parsed_on_a_small_stack() {
    for shape in SHAPES {
        let (source, depth) = deepest(shape);
        assert!(depth >= 10, "{}: a depth of {depth} is too little for people's texts", shape.0);
        parse_on_small_stack(shape.0, source);
    }
}

#[test]
fn the_deepest_text_of_two_shapes_in_each_other_is_parsed_on_a_small_stack() {
    let brackets = ["(class{a=", "({a:", "(() => {return ", "f(", "`${", "(a=", "(function(){for(;;)return "];
    let closers = ["})", "})", "})", ")", "}`", ")", "})"];
    let prefixes = ["new ", "!", "a=>", "(a)=>", "a?b:", "2**", "a=", "async a=>", "yield=", "1+", "a.b||"];
    for (bracket, closer) in brackets.iter().zip(closers) {
        for prefix in prefixes {
            for each in [1, 2, 5, 20] {
                let before = format!("{bracket}{}", prefix.repeat(each));
                let shape = (*bracket, before.as_str(), "a", closer);
                let (source, _) = deepest(&shape);
                parse_on_small_stack(&before, source);
            }
        }
    }
}

/// What nests in inline code besides: types, and statements that end with their line.
const CODE_SHAPES: &[(&str, &str, &str, &str)] = &[
    ("type arguments", "A<", "B", ">"),
    ("later type arguments", "A<B,", "C", ">"),
    ("type arguments on lines of their own", "A<\n", "B", "\n>"),
    ("objects", "{a:", "B", "}"),
    ("lists", "[", "B", "]"),
    ("optional parts", "[a?:", "B", "]"),
    ("functions", "(a:", "B", ")=>C"),
    ("results of functions", "()=>", "B", ""),
    ("keys", "keyof ", "B", ""),
    ("keys on lines of their own", "keyof\n", "B", ""),
    ("readonly lists", "readonly ", "B[]", ""),
    ("conditions", "A extends B?C:", "D", ""),
    ("conditions inside", "A extends B?", "C", ":D"),
    ("inferred", "A extends (infer B extends ", "C", ")?D:E"),
    ("templates", "`${", "B", "}`"),
    ("unions", "A|", "B", ""),
    ("intersections", "A&", "B", ""),
    ("indices", "", "A", "[B]"),
    ("constructors", "new()=>", "B", ""),
];

#[test]
fn the_deepest_type_of_each_shape_is_parsed_on_a_small_stack() {
    for (name, before, middle, after) in CODE_SHAPES {
        let text = |depth: usize| {
            format!("type T = {}{middle}{}\nfunction main() {{}}", before.repeat(depth), after.repeat(depth))
        };
        let (mut passes, mut fails) = (0, 20_000);
        while fails - passes > 1 {
            let depth = usize::midpoint(passes, fails);
            if scan_code(&text(depth)).is_ok() { passes = depth } else { fails = depth }
        }
        assert!(passes >= 10, "{name}: a depth of {passes} is too little for people's types");
        let source = text(passes);
        let worker = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || drop(code::read(&source)));
        worker.expect("a thread starts").join().expect("the parser does not panic");
    }
}

#[test]
fn a_text_over_a_cap_is_refused_by_name() {
    let over = |shape: &str, cap: &str| {
        let shape = SHAPES.iter().find(|known| known.0 == shape).expect("a shape of the table");
        let (_, depth) = deepest(shape);
        let fault = check_source_nesting(&text(shape, depth + 1)).expect_err("deeper than the deepest");
        assert!(fault.message.contains(cap), "{}: {}", shape.0, fault.message);
    };
    over("parentheses", "brackets are nested deeper than 48");
    over("templates", "brackets are nested deeper than 48");
    over("not", "more than 128 nested operators or statements");
    over("else", "more than 128 nested operators or statements");
    over("sums", "more than 1024 operators or calls in one chain");
    over("commas", "more than 1024 operators or calls in one chain");
    over("regular expression groups", "the limit is 64");
    let long = check_source_nesting(&"1 ".repeat(8193)).expect_err("longer than allowed");
    assert_eq!(long.message, "the expression has 16386 bytes; the limit is 16384");
}
