//! The environment of scripts: fewer globals than in a browser, and the same on every host.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use boa_engine::context::HostHooks;
use boa_engine::job::{GenericJob, Job, JobExecutor, PromiseJob};
use boa_engine::object::FunctionObjectBuilder;
use boa_engine::realm::Realm;
use boa_engine::{Context, JsNativeError, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string};

/// Maximum nesting depth of a text that a script passes to `JSON.parse`: the engine parses it recursively.
const MAX_PARSED_DEPTH: usize = 48;

/// Maximum size of an `ArrayBuffer`, in bytes.
const MAX_BUFFER_BYTES: u64 = 16 * 1024 * 1024;

/// Refuses to compile code from strings, which has not been scanned, and hides the host's time zone.
pub(super) struct Hooks;

impl HostHooks for Hooks {
    fn ensure_can_compile_strings(
        &self,
        _realm: Realm,
        _parameters: &[JsString],
        _body: &JsString,
        _direct: bool,
        _context: &mut Context,
    ) -> JsResult<()> {
        let message = "code from strings (`eval`, `Function`) is not available in expressions";
        Err(JsNativeError::eval().with_message(message).into())
    }

    fn local_timezone_offset_seconds(&self, _unix_time_seconds: i64) -> i32 {
        0
    }

    fn max_buffer_size(&self, _context: &mut Context) -> u64 {
        MAX_BUFFER_BYTES
    }
}

/// A bounded queue of promise jobs. There are no timers, so it holds no other jobs.
pub(super) struct Jobs {
    queue: RefCell<VecDeque<QueuedJob>>,
    left: Cell<usize>,
    exhausted: Cell<bool>,
}

enum QueuedJob {
    Promise(PromiseJob),
    Generic(GenericJob),
}

impl Jobs {
    pub(super) fn new(limit: usize) -> Self {
        Self { queue: RefCell::default(), left: Cell::new(limit), exhausted: Cell::new(false) }
    }

    /// Returns whether jobs were dropped because of the limit.
    pub(super) fn is_over_limit(&self) -> bool {
        self.exhausted.get()
    }
}

impl JobExecutor for Jobs {
    fn enqueue_job(self: Rc<Self>, job: Job, _context: &mut Context) {
        match job {
            Job::PromiseJob(job) => self.queue.borrow_mut().push_back(QueuedJob::Promise(job)),
            Job::GenericJob(job) => self.queue.borrow_mut().push_back(QueuedJob::Generic(job)),
            // Timers and clean-up: a promise that depends on them never settles, which is an error of its own.
            Job::AsyncJob(_)
            | Job::TimeoutJob(_)
            | Job::IntervalJob(_)
            | Job::FinalizationRegistryCleanupJob(_)
            | _ => {}
        }
    }

    fn run_jobs(self: Rc<Self>, context: &mut Context) -> JsResult<()> {
        loop {
            let Some(job) = self.queue.borrow_mut().pop_front() else { return Ok(()) };
            if self.left.get() == 0 {
                self.exhausted.set(true);
                self.queue.borrow_mut().clear();
                return Ok(());
            }
            self.left.set(self.left.get() - 1);
            match job {
                QueuedJob::Promise(job) => job.call(context)?,
                QueuedJob::Generic(job) => job.call(context)?,
            };
            context.clear_kept_objects();
        }
    }
}

/// Adds a depth limit to `JSON.parse` and returns the original `JSON.stringify`.
pub(super) fn install_json_guard(context: &mut Context) -> JsResult<JsObject> {
    let json = context.global_object().get(js_string!("JSON"), context)?;
    let json = json.as_object().ok_or_else(|| JsNativeError::typ().with_message("there is no JSON object"))?;
    let parse = json.get(js_string!("parse"), context)?;
    let capped = NativeFunction::from_copy_closure_with_captures(
        |this, arguments, parse: &JsValue, context| {
            let text = arguments.first().cloned().unwrap_or_default().to_string(context)?;
            if json_nesting_depth(&text) > MAX_PARSED_DEPTH {
                let message = format!("the JSON text nests deeper than {MAX_PARSED_DEPTH}");
                return Err(JsNativeError::range().with_message(message).into());
            }
            let parse = parse.as_object().ok_or_else(|| JsNativeError::typ().with_message("there is no parser"))?;
            let rest = arguments.get(1).cloned().unwrap_or_default();
            parse.call(this, &[text.into(), rest], context)
        },
        parse,
    );
    let capped = FunctionObjectBuilder::new(context.realm(), capped).name(js_string!("parse")).length(2).build();
    json.set(js_string!("parse"), capped, true, context)?;
    let stringify = json.get(js_string!("stringify"), context)?;
    let stringify = stringify.as_object();
    Ok(stringify.ok_or_else(|| JsNativeError::typ().with_message("there is no JSON.stringify"))?.clone())
}

/// Returns the maximum nesting depth of brackets in a JSON text, without those inside strings.
fn json_nesting_depth(text: &JsString) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for unit in text {
        match u8::try_from(unit) {
            _ if escaped => escaped = false,
            Ok(b'\\') if in_string => escaped = true,
            Ok(b'"') => in_string = !in_string,
            Ok(b'[' | b'{') if !in_string => depth += 1,
            Ok(b']' | b'}') if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
