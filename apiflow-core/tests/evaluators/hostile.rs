//! Expressions that want to take the process down.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apiflow_core::ports::{EvaluationError, Evaluator};
use serde_json::json;
use tokio::task::JoinSet;

/// How long one evaluation may take.
const DEADLINE: Duration = Duration::from_millis(500);

/// What a start of a new process, and a busy machine, may add to it.
const SLACK: Duration = Duration::from_secs(10);

/// Texts that never reach the engine, or that it must survive.
fn texts() -> Vec<String> {
    let written = [
        // Memory.
        "let s = 'x'; while (true) s += s;",
        "let s = 'x'; for (let i = 0; i < 60; i++) s = s + s; return s.length",
        "'x'.repeat(2 ** 30).length",
        "'x'.repeat(2 ** 28).split('')",
        "'x'.padEnd(2 ** 30, 'ab').length",
        "new Array(1e7).fill(1)",
        "new Array(2 ** 32 - 1).fill(0)",
        "const a = []; while (true) a.push(new Array(1000).fill('x'));",
        "Array.from({length: 1e9})",
        "const a = [1]; while (true) a.push(...a);",
        "new ArrayBuffer(2 ** 40)",
        "new Uint8Array(2 ** 31)",
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, {i});",
        "'x'.repeat(3e6)",
        "new Array(3e5).fill('abcdefgh')",
        "2n ** (2n ** 40n)",
        "let n = 10n; while (true) n = n * n;",
        "(10n ** 1000000n).toString().length",
        "'a'.repeat(1e6).replaceAll('a', 'b'.repeat(1e6))",
        "JSON.stringify(new Array(1e7).fill({a: 1}))",
        "const o = {}; for (let i = 0; ; i++) o['k' + i] = i;",
        "[..._endless()]; function _endless() { return {[Symbol.iterator]: () => ({next: () => ({value: 'x'.repeat(1e5)})})} }",
        // Time.
        "while (true) {}",
        "for (;;) {}",
        "do {} while (true)",
        "outer: while (true) { inner: while (true) { continue outer } }",
        "/^(a+)+$/.test('a'.repeat(40) + 'b')",
        "/(x+x+)+y/.test('x'.repeat(60))",
        "'a'.repeat(1e5).match(/(.*)(.*)(.*)(.*)(.*)z/)",
        "new RegExp('(a*)*'.repeat(20) + 'b').test('a'.repeat(200))",
        "new Array(1e6).fill(0).map((_, i) => i).sort(() => { for (;;) {} })",
        "new Array(2e5).fill(0).sort(() => Math.random() - 0.5).length",
        "function* g() { while (true) yield 1 } let n = 0; for (const x of g()) n += x;",
        "function* g() { yield* g() } return [...g()]",
        "while (true) await 0;",
        "const tick = () => Promise.resolve().then(tick); return tick()",
        "return new Promise(() => {})",
        "Promise.resolve().then(() => { while (true) {} })",
        "(async () => { for await (const x of (async function* () { while (true) yield 1 })()) {} })()",
        "await {then(done) { done(this) }}",
        "return {then(done) { done(this) }}",
        "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)",
        "Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(8)), 0, 0).value",
        "'x'.repeat(1e6).localeCompare({toString() { while (true) {} }})",
        "const until = Date.now() + 1e9; while (Date.now() < until) {}",
        "[].indexOf.call({length: 2 ** 53 - 1}, 1)",
        "Array.prototype.includes.call({length: 2 ** 53 - 1}, 1)",
        // Recursion.
        "function f() { return f() } return f()",
        "const f = () => { try { f() } finally { f() } }; return f()",
        "const a = {get x() { return this.x }}; return a.x",
        "const p = new Proxy({}, {get(t, k, r) { return r[k] }}); return p.x",
        "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x",
        "const o = {toString() { return `${this}` }}; return `${o}`",
        "const o = {[Symbol.toPrimitive]() { return +this }}; return +o",
        "const o = {toJSON() { return {o: this} }}; return o",
        "const o = {toJSON() { return JSON.stringify(this) }}; return o",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a.flat(Infinity)",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return String(a)",
        "let a = []; for (let i = 0; i < 200; i++) a = [a]; return a",
        "let f = x => x; for (let i = 0; i < 1e5; i++) f = f.bind(null); return f(1)",
        "class A { constructor() { return new A() } } return new A()",
        "let o = null; for (let i = 0; i < 1e6; i++) o = {o}; return 1",
        "[1].map(function f(x) { return [x].map(f) })",
        "[3, 2, 1].sort(function f(a, b) { return [3, 2, 1].sort(f)[0] })",
        "'a'.replace(/a/, function f() { return 'a'.replace(/a/, f) })",
        "let e = new Error('x'); for (let i = 0; i < 1e5; i++) e = new Error('x', {cause: e}); throw e",
        "let p = Promise.reject(1); for (let i = 0; i < 1e5; i++) p = p.then(x => x); return p",
        "Reflect.construct(function () { return Reflect.construct(new.target, []) }, [])",
        // Code from strings, and ways around what is refused.
        "eval('while(true){}')",
        "(0, eval)('('.repeat(1e5))",
        "Function('('.repeat(1e5))()",
        "(async () => {}).constructor('return 1')()",
        "[].constructor.constructor('return this')()",
        "JSON.parse('['.repeat(1e5))",
        "JSON.parse('{\"a\":'.repeat(1e5))",
        "new RegExp('('.repeat(1e5) + ')'.repeat(1e5))",
        "'a'.match('('.repeat(1e5) + ')'.repeat(1e5))",
        "new RegExp('(?=' .repeat(1e4) + ')'.repeat(1e4)).test('a')",
        "import('fs').then(() => 1)",
        // What is in the engine's own way.
        "Object.prototype.__defineGetter__('then', () => { throw 1 }); return {}",
        "Object.defineProperty(Array.prototype, '0', {set() { throw 1 }}); return [1]",
        "Promise.prototype.then = () => { while (true) {} }; return 1",
        "JSON.stringify = null; JSON.parse = null; return {a: 1}",
        "throw {get message() { while (true) {} }}",
        "throw new Proxy({}, {get() { throw this }})",
        "throw 'x'.repeat(1e7)",
        "throw null",
        "globalThis.Boolean = () => 1; delete globalThis.Object; return 1",
        "Symbol.prototype[Symbol.toPrimitive] = null; return Symbol()",
        "new Date(8.64e15 + 1)",
        "new Date(NaN).toISOString()",
        "'\\ud800'",
        "const w = new WeakRef({}); while (w.deref()) {}",
        "new FinalizationRegistry(() => {}).register({}, 1)",
        "arguments.callee",
        "return this",
    ];
    let nested =
        [("(", ")"), ("[", "]"), ("{a:", "}"), ("`${", "}`"), ("f(", ")"), ("class{a=", "}"), ("!", ""), ("a=>", "")];
    let more =
        ["a?b:", "new ", "2**", "-", "typeof ", "await ", "a.b", "a[", "/(", "if(a)", "else ", "\u{2028}", "<!--"];
    let deep = nested.iter().map(|(open, close)| format!("{}1{}", open.repeat(2000), close.repeat(2000)));
    let rows = more.iter().map(|open| open.repeat(2000));
    written.iter().map(|&text| text.to_owned()).chain(deep).chain(rows).collect()
}

/// One hostile text, then a harmless one that must find the world as ever, in the same process where it survived.
async fn one(evaluator: &Arc<dyn Evaluator>, source: &str) {
    let shown: String = source.chars().take(80).collect();
    let began = Instant::now();
    let outcome = super::bare(evaluator, source).await;
    let took = began.elapsed();
    assert!(took < DEADLINE + SLACK, "{shown}: took {took:?}");
    if let Err(error) = &outcome {
        let message = error.to_string();
        assert!(!matches!(error, EvaluationError::Internal(_)), "{shown}: {message}");
        assert!(message.len() < 10_000, "{shown}: a message of {} bytes", message.len());
    }
    let harmless = super::bare(evaluator, "[Object.keys({}.__proto__).length, [1].map(n => n + 1), ({}).leak]").await;
    assert_eq!(harmless, Ok(json!([0, [2], null])), "after {shown}: {outcome:?}");
}

pub(crate) fn table() {
    super::block_on(async {
        let texts = Arc::new(Mutex::new(texts()));
        let mut workers = JoinSet::new();
        for _ in 0..3 {
            let texts = Arc::clone(&texts);
            workers.spawn(async move {
                let evaluator = super::sandbox(1, DEADLINE);
                loop {
                    let next = texts.lock().expect("nobody panics while holding it").pop();
                    let Some(source) = next else { return };
                    one(&evaluator, &source).await;
                }
            });
        }
        while let Some(ended) = workers.join_next().await {
            ended.expect("no hostile text breaks an assertion");
        }
    });
}

/// What the in-process evaluator's limits stop.
pub(crate) fn in_process() {
    super::block_on(async {
        let evaluator = super::in_process();
        for (source, expected) in [
            ("while (true) {}", "maximum number of iteration loops"),
            ("function f() { return f() } return f()", "maximum number of recursive calls"),
            ("const tick = () => Promise.resolve().then(tick); return tick()", "promise jobs"),
            ("Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)", "cannot be suspended"),
            ("JSON.parse('['.repeat(1e5))", "nests deeper than 48"),
            ("eval('1')", "not available"),
            ("'x'.repeat(3e6)", "bytes of JSON; the limit is"),
            ("let a = []; for (let i = 0; i < 110; i++) a = [a]; return a", "nests deeper than 100"),
        ] {
            let error = super::bare(&evaluator, source).await.expect_err(source);
            assert!(error.to_string().contains(expected), "{source}: {error}");
            assert_eq!(super::bare(&evaluator, "1 + 1").await, Ok(json!(2)), "after {source}");
        }
    });
}
