//! The providers behind the real call builder: an HTTP client that answers by the fates, and counts what was paid.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiflow_core::ports::{Clock, HttpClient, HttpError, HttpReply, HttpRequest, MemoryHold, RequestBody, Timestamp};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::fate::{CallKey, End, Fate, Kind, MEDIA, Way, canonical, error, plain};
use super::super::random::{Random, hash};
use super::super::reference::{Answers, Observed};
use super::paid::Paid;

/// Half of the way there and back, at least.
const HALF_WAY_MS: u64 = 3;

/// All providers of one world.
pub(super) struct Client {
    pub(super) seed: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) paid: Paid,
    pub(super) works: Mutex<BTreeMap<String, Work>>,
    /// How often each call was not taken because of a rate limit.
    pub(super) refusals: Mutex<BTreeMap<String, usize>>,
    pub(super) list: Mutex<ListOutages>,
    /// Decides about downloads.
    pub(super) downloads: Mutex<Random>,
    /// Submits of whose fate the caller was not told.
    pub(super) lost: AtomicUsize,
}

/// When the providers' list cannot be read.
pub(super) struct ListOutages {
    random: Random,
    /// Outages that are still to come, at most.
    left: u32,
    until: Timestamp,
}

impl ListOutages {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x117);
        let left = *random.pick(&[0, 1, 3]);
        Self { random, left, until: Timestamp(0) }
    }

    /// What is said in place of the list, while it cannot be read.
    fn fault(&mut self, now: Timestamp) -> Option<Result<HttpReply, HttpError>> {
        if self.left > 0 && now >= self.until && self.random.percent(50) {
            self.left -= 1;
            self.until = now.plus_ms(*self.random.pick(&[400, 9_000, 200_000]));
        }
        (now < self.until).then(|| match self.random.below(4) {
            0 => Err(HttpError::Connect("the provider is away".to_owned())),
            1 => Err(HttpError::Unknown("the connection was lost".to_owned())),
            2 => Ok(reply(503, &json!({"detail": "overloaded"}))),
            _ => Ok(reply(429, &json!({"detail": "slow down"}))),
        })
    }
}

/// Work that a provider took.
pub(super) struct Work {
    step: String,
    input: Value,
    key: Option<String>,
    created_at: Timestamp,
    over_at: Option<Timestamp>,
    outcome: Result<Value, Value>,
    has_media: bool,
    /// Whether somebody has learnt how it ended.
    pub(super) known: bool,
    /// Whether it was called off.
    pub(super) told: bool,
}

/// A submit as it arrives.
struct Submit {
    kind: Kind,
    step: String,
    input: Value,
    key: Option<String>,
    fate: Fate,
    /// Whether the provider limits the rate of calls now.
    is_limited: bool,
}

/// The name by which a call's fate is known here: providers see no places. What may be repeated has one fate for all
/// its attempts, since their numbers depend on what was lost.
fn name_of(kind: Kind, step: &str, attempt: u64, input: &Value) -> String {
    let attempt = if kind.is_repeatable() { 0 } else { attempt };
    format!("{step} {attempt} {}", canonical(&plain(input)))
}

/// A provider's answers as the reference needs them.
pub(super) struct Fates<'a> {
    pub(super) seed: u64,
    pub(super) observed: &'a Observed,
}

impl Answers for Fates<'_> {
    fn answer(&self, key: &CallKey, path: &str, args: &Value) -> Result<Value, Value> {
        if self.observed.unknown.contains(key) {
            return Err(error("submit_unknown"));
        }
        if self.observed.refused_too_long.contains(key) {
            return Err(error("rate_limited"));
        }
        if self.observed.not_sent.contains(key) {
            return Err(error("internal_error"));
        }
        let kind = Kind::at(path);
        let fate = Fate::named(self.seed, &name_of(kind, &key.step_id, u64::from(key.nth) + 1, args), kind);
        if kind.is_repeatable() && fate.way != Way::Well {
            return Err(error("unavailable"));
        }
        match fate.end {
            End::Done => fate.outcome(args),
            End::Endless => Err(error("timeout")),
            // The state of work says only that it failed.
            End::Failed(_) if goes_to_work(kind, &fate) => Err(error("provider_failed")),
            End::Failed(class) => Err(error(class_of(status_of(class)))),
        }
    }
}

fn goes_to_work(kind: Kind, fate: &Fate) -> bool {
    kind.has_operation() && (fate.polls > 0 || fate.end == End::Endless)
}

/// The HTTP status by which a provider says a class of failure. A rate limit is none: see [`Client::is_limited`].
fn status_of(class: &str) -> u16 {
    match class {
        "moderated" | "invalid_input" => 422,
        "auth" => 401,
        "payment" => 402,
        _ => 503,
    }
}

/// The class that a status is read as.
fn class_of(status: u16) -> &'static str {
    match status {
        422 => "invalid_input",
        401 => "auth",
        402 => "payment",
        _ => "unavailable",
    }
}

impl Client {
    pub(super) fn works(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Work>> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pause(&self, ms: u64) {
        self.clock.sleep_until(self.clock.now().plus_ms(ms)).await;
    }

    fn read(&self, request: &HttpRequest, node: &str) -> Submit {
        let RequestBody::Text(text) = &request.body else { unreachable!("a submit has a body") };
        let mut body: Value = serde_json::from_str(text).expect("the body is JSON");
        let kind = Kind::at(&format!("node/{node}"));
        let step = body["step"].as_str().unwrap_or_default().to_owned();
        let attempt = body["attempt"].as_u64().unwrap_or_default();
        let input = body["input"].take();
        let key = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
        let name = name_of(kind, &step, attempt, &input);
        let fate = Fate::named(self.seed, &name, kind);
        let is_limited = self.is_limited(name);
        Submit { kind, step, input, key: key.map(|(_, value)| value.clone()), fate, is_limited }
    }

    /// Whether a call is not taken this time: some are refused once or twice.
    fn is_limited(&self, name: String) -> bool {
        let mut random = Random::new(hash(self.seed, &format!("limit of {name}")));
        let refusals = *random.pick(&[0, 0, 0, 0, 0, 0, 1, 2]);
        let mut counts = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name).or_default();
        *count += 1;
        *count <= refusals
    }

    async fn submit(&self, request: &HttpRequest, node: &str) -> Result<HttpReply, HttpError> {
        let submit = self.read(request, node);
        let half = HALF_WAY_MS + submit.fate.delay_ms / 2;
        self.pause(half).await;
        if submit.is_limited {
            let hint = ("retry-after-ms".to_owned(), (200 + submit.fate.delay_ms / 10).to_string());
            let mut limited = reply(429, &json!({"detail": "too many calls"}));
            limited.headers.push(hint);
            return Ok(limited);
        }
        if submit.fate.way == Way::LostBefore {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Err(HttpError::Unknown("the connection was lost".to_owned()));
        }
        self.paid.count(&submit.step, &submit.input).await;
        let reply = self.take(&submit);
        if submit.fate.way == Way::Silent {
            self.lost.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(request.timeout.saturating_sub(Duration::from_millis(half))).await;
            return Err(HttpError::Unknown("the provider did not answer".to_owned()));
        }
        self.pause(half).await;
        if submit.fate.way == Way::LostAfter {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Err(HttpError::Unknown("the connection was lost".to_owned()));
        }
        Ok(reply)
    }

    /// A provider takes a submit.
    fn take(&self, submit: &Submit) -> HttpReply {
        let Submit { kind, step, input, key, fate, is_limited: _ } = submit;
        let outcome = fate.outcome(input);
        if goes_to_work(*kind, fate) {
            let mut works = self.works();
            let known = works.iter().find(|(_, work)| key.is_some() && work.key == *key).map(|(id, _)| id.clone());
            let id = known.unwrap_or_else(|| format!("work-{}", works.len() + 1));
            let created_at = self.clock.now();
            let wait_ms = fate.delay_ms.max(300) * u64::from(fate.polls);
            works.entry(id.clone()).or_insert_with(|| Work {
                step: step.clone(),
                input: input.clone(),
                key: key.clone(),
                created_at,
                over_at: (fate.end != End::Endless).then(|| created_at.plus_ms(wait_ms)),
                outcome,
                has_media: fate.has_media,
                known: false,
                told: false,
            });
            return reply(201, &json!({"id": id, "status": "running"}));
        }
        match outcome {
            Ok(mut result) => {
                if fate.has_media {
                    result[MEDIA] = json!("http://provider.test/files/at-once");
                }
                if kind.has_operation() {
                    result["status"] = json!("done");
                    result["id"] = json!("done-at-once");
                }
                reply(200, &result)
            }
            Err(error) => {
                let class = error["name"].as_str().unwrap_or_default();
                reply(status_of(class), &json!({"detail": "no"}))
            }
        }
    }

    fn state(&self, id: &str) -> HttpReply {
        let mut works = self.works();
        let Some(work) = works.get_mut(id) else { return reply(404, &json!({"detail": "no such work"})) };
        let is_over = work.over_at.is_some_and(|over| over <= self.clock.now());
        if !is_over {
            let status = if work.told { "cancelled" } else { "running" };
            return reply(200, &json!({"id": id, "status": status}));
        }
        work.known = true;
        match work.outcome.clone() {
            Ok(mut result) => {
                result["id"] = json!(id);
                if work.has_media {
                    result[MEDIA] = json!(format!("/files/{id}"));
                }
                result["status"] = json!("done");
                reply(200, &result)
            }
            Err(_) => reply(200, &json!({"id": id, "status": "failed", "error": "it went wrong"})),
        }
    }

    /// A file of a result, whose download may fail for a while.
    fn file(&self) -> Result<HttpReply, HttpError> {
        let mut random = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        match random.below(10) {
            0 => Err(HttpError::Connect("the storage is away".to_owned())),
            1 => Err(HttpError::Unknown("the connection was lost".to_owned())),
            2 => Ok(reply(503, &json!({"detail": "overloaded"}))),
            3 => {
                let mut short = reply(200, &json!("half"));
                short.headers.push(("content-length".to_owned(), "100".to_owned()));
                Ok(short)
            }
            _ => Ok(reply(200, &json!("the whole file"))),
        }
    }

    fn list(&self) -> HttpReply {
        let works = self.works();
        let item = |(id, work): (&String, &Work)| {
            json!({"id": id, "status": "running", "step": work.step, "input": work.input,
                "created_at": written(work.created_at)})
        };
        let items: Vec<Value> = works.iter().map(item).collect();
        reply(200, &json!({"items": items}))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError> {
        let path = request.url.strip_prefix("http://provider.test/").unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        if request.method == "POST" && segments.len() == 1 {
            return self.submit(request, segments[0]).await;
        }
        self.pause(HALF_WAY_MS).await;
        let reply = match segments[..] {
            ["works"] => {
                let fault = self.list.lock().unwrap_or_else(PoisonError::into_inner).fault(self.clock.now());
                match fault {
                    Some(fault) => return fault,
                    None => self.list(),
                }
            }
            ["works", id] => self.state(id),
            ["files", _] => self.file()?,
            ["works", id, "cancel"] => {
                if let Some(work) = self.works().get_mut(id) {
                    work.told = true;
                }
                reply(200, &json!({}))
            }
            _ => unreachable!("{path} is no address of the providers"),
        };
        self.pause(HALF_WAY_MS).await;
        Ok(reply)
    }
}

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
        url: "http://provider.test/".to_owned(),
        memory: MemoryHold::default(),
    }
}

/// A moment of January 1970 as RFC 3339 has it.
fn written(moment: Timestamp) -> String {
    let (seconds, ms) = (moment.0 / 1_000, moment.0 % 1_000);
    let (day, hour, minute, second) = (seconds / 86_400 + 1, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("1970-01-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}
