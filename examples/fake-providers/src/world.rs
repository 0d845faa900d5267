//! The state of all providers other than Replicate, and what their calls have in common.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::call::{Call, build_id};
use crate::clock;
use crate::media::Media;
use crate::provider::Provider;
use crate::records::{MediaCall, MediaStats};
use crate::signing::Signer;
use crate::switches::{Admission, FileFate, Switches};
use crate::task::Task;

/// The state that outlives a call.
pub(crate) struct World {
    /// The address without a path.
    pub(crate) origin: String,
    /// The address of another host of the same provider.
    pub(crate) other_origin: String,
    pub(crate) signer: Signer,
    providers: Mutex<BTreeMap<Provider, ProviderState>>,
    changes: watch::Sender<u64>,
    started: Instant,
    pub(crate) started_us: u64,
}

/// The state of one provider.
#[derive(Default)]
pub(crate) struct ProviderState {
    pub(crate) switches: Switches,
    pub(crate) tasks: Vec<Task>,
    /// Uploaded files: content type and content.
    pub(crate) uploads: BTreeMap<String, (String, Bytes)>,
    pub(crate) cancels: usize,
    pub(crate) file_reads: usize,
    pub(crate) webhooks: usize,
    most_running: usize,
    calls: Vec<MediaCall>,
    by_path: BTreeMap<String, u64>,
    serial: u64,
}

/// A recorded call that makes something.
#[derive(Clone, Copy)]
pub(crate) struct CallNumber(usize);

impl World {
    pub(crate) fn new(origin: String, other_origin: String) -> Self {
        Self {
            origin,
            other_origin,
            signer: Signer::new(),
            providers: Mutex::new(BTreeMap::new()),
            changes: watch::Sender::new(0),
            started: Instant::now(),
            started_us: clock::to_micros(SystemTime::now()),
        }
    }

    /// The time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns a receiver of future changes.
    pub(crate) fn subscribe_to_changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Reads and changes a provider's state, and wakes those who wait for a change.
    pub(crate) fn with<T>(&self, provider: Provider, change: impl FnOnce(&mut ProviderState) -> T) -> T {
        let result = change(self.lock().entry(provider).or_default());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Provider, ProviderState>> {
        // Each change is a single step, so a panic elsewhere leaves the state consistent.
        self.providers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the switches of a provider.
    pub(crate) fn switches(&self, provider: Provider) -> Switches {
        self.lock().entry(provider).or_default().switches.clone()
    }

    /// Forgets everything about a provider.
    pub(crate) fn reset(&self, provider: Provider) {
        // Serial numbers continue, so that ids stay unique.
        self.with(provider, |state| *state = ProviderState { serial: state.serial, ..ProviderState::default() });
    }

    /// Returns counts, calls and work of a provider.
    pub(crate) fn collect_stats(&self, provider: Provider) -> MediaStats {
        let now = self.now();
        let mut providers = self.lock();
        let state = providers.entry(provider).or_default();
        MediaStats {
            creates: state.calls.len(),
            accepted: state.calls.iter().filter(|call| call.task.is_some()).count(),
            cancels: state.cancels,
            file_reads: state.file_reads,
            webhooks: state.webhooks,
            most_running: state.most_running,
            by_path: state.by_path.clone(),
            tasks: state.tasks.iter().map(|task| task.to_json(now)).collect(),
            calls: state.calls.clone(),
        }
    }

    /// Counts a call of a path.
    pub(crate) fn count_call(&self, provider: Provider, path: String) {
        self.with(provider, |state| *state.by_path.entry(path).or_default() += 1);
    }

    /// Records a call that makes something and checks its key; `body` describes its body.
    pub(crate) fn open_call(&self, provider: Provider, call: &Call, body: Value) -> Result<CallNumber, Box<Response>> {
        let number = self.with(provider, |state| {
            state.calls.push(call.to_record(body));
            CallNumber(state.calls.len() - 1)
        });
        self.check_key(provider, call)?;
        Ok(number)
    }

    /// Checks the key of a call.
    pub(crate) fn check_key(&self, provider: Provider, call: &Call) -> Result<(), Box<Response>> {
        let given = provider.read_key(&call.headers);
        let wanted = self.switches(provider).require_key;
        if given.is_some() && wanted.is_none_or(|wanted| given == Some(&wanted)) {
            return Ok(());
        }
        let message = "no API key, or one that is not valid";
        Err(Box::new(provider.reply_with_error(StatusCode::UNAUTHORIZED, Some("invalid_api_key"), message)))
    }

    /// Accepts a valid call, unless the switches say otherwise: the work, or the reply.
    pub(crate) fn accept(
        &self,
        provider: Provider,
        call: &Call,
        number: CallNumber,
        (model, input): (&str, Value),
        outputs: Vec<Media>,
    ) -> Result<Task, Box<Response>> {
        let admission = self.with(provider, |state| state.switches.admit_create());
        let drop_reply = match admission {
            Admission::Accept { drop_reply } => drop_reply,
            Admission::Refuse(refusal) => return Err(Box::new(provider.reply_with_refusal(refusal))),
            Admission::Drop => return Err(Box::new(cut_off(call))),
        };
        let task = self.create_task(provider, number, model, input, outputs);
        if drop_reply {
            return Err(Box::new(cut_off(call)));
        }
        Ok(task)
    }

    fn create_task(
        &self,
        provider: Provider,
        CallNumber(number): CallNumber,
        model: &str,
        input: Value,
        outputs: Vec<Media>,
    ) -> Task {
        let now = self.now();
        let outputs: Vec<Arc<Media>> = outputs.into_iter().map(Arc::new).collect();
        for output in &outputs {
            let output = Arc::clone(output);
            tokio::spawn(async move { output.load_input().await });
        }
        self.with(provider, |state| {
            state.serial += 1;
            let task = Task {
                id: build_id(self.started_us ^ provider as u64, state.serial),
                model: model.to_owned(),
                input,
                created: now,
                cancelled: None,
                switches: state.switches.clone(),
                outputs,
                polls: 0,
            };
            if let Some(call) = state.calls.get_mut(number) {
                call.task = Some(task.id.clone());
            }
            state.tasks.push(task.clone());
            let running = state.tasks.iter().filter(|task| now < task.end()).count();
            state.most_running = state.most_running.max(running);
            task
        })
    }

    /// Waits until the work has ended.
    pub(crate) async fn wait_for_end(&self, task: &Task) {
        tokio::time::sleep_until(self.started + task.end()).await;
    }

    /// Returns a work as a poll finds it, unless the switches say otherwise: the work (`None`: unknown), or the reply.
    pub(crate) fn poll(&self, provider: Provider, call: &Call, id: &str) -> Result<Option<Task>, Box<Response>> {
        self.check_key(provider, call)?;
        match self.with(provider, |state| state.switches.admit_poll()) {
            Admission::Accept { .. } => {}
            Admission::Refuse(refusal) => return Err(Box::new(provider.reply_with_refusal(refusal))),
            Admission::Drop => return Err(Box::new(cut_off(call))),
        }
        let found = self.with(provider, |state| {
            let task = state.tasks.iter_mut().find(|task| task.id == id)?;
            task.polls += 1;
            Some(task.clone())
        });
        Ok(found.filter(|task| task.polls > task.switches.unknown_at_first))
    }

    /// Returns a work.
    pub(crate) fn find(&self, provider: Provider, id: &str) -> Option<Task> {
        self.lock().entry(provider).or_default().tasks.iter().find(|task| task.id == id).cloned()
    }

    /// Cancels a work; returns it as it was before.
    pub(crate) fn cancel(&self, provider: Provider, id: &str) -> Option<Task> {
        let now = self.now();
        self.with(provider, |state| {
            state.cancels += 1;
            let task = state.tasks.iter_mut().find(|task| task.id == id)?;
            let before = task.clone();
            if now < task.end() {
                task.cancelled = Some(now);
            }
            Some(before)
        })
    }

    /// Decides what happens to a read of a file.
    pub(crate) fn admit_file(&self, provider: Provider) -> FileFate {
        self.with(provider, |state| {
            state.file_reads += 1;
            state.switches.admit_file()
        })
    }

    /// Returns the link of an output. `default_life` applies if the switches set none.
    pub(crate) fn link(&self, provider: Provider, task: &Task, index: usize, default_life: Duration) -> String {
        let switches = &task.switches;
        let life = switches.link_life_ms.map_or(default_life, Duration::from_millis);
        let from = if switches.sign_again { self.now() } else { task.end() };
        let extension = task.outputs.get(index).map_or("bin", |media| media.extension());
        let path = format!("/files/{}/{}-{index}.{extension}", provider.as_str(), task.id);
        let expires = (from + life).as_millis() as u64;
        let signature = self.signer.sign_link(&path, expires);
        let origin = if switches.relative_links { "" } else { self.origin.as_str() };
        format!("{origin}{path}?expires={expires}&signature={signature}")
    }
}

/// Resets the connection; the reply does not arrive.
pub(crate) fn cut_off(call: &Call) -> Response {
    call.connection.cut_off();
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}
