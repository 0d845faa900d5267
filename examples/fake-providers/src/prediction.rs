//! A prediction: its request, and its state at any time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::behaviour::{Behaviour, Delivery, End};
use crate::clock;
use crate::media::Media;
use crate::models::Model;
use crate::sample;

/// Number of progress lines of a complete run.
const PROGRESS_STEP_COUNT: u32 = 20;

/// A prediction as it was created, with everything that determines its states.
#[derive(Clone, Debug)]
pub(crate) struct Prediction {
    pub(crate) id: String,
    pub(crate) model: Arc<Model>,
    /// `owner/name` of the deployment that it was created through.
    pub(crate) deployment: Option<String>,
    pub(crate) input: Value,
    /// The file that it makes.
    pub(crate) media: Arc<Media>,
    pub(crate) created_us: u64,
    /// Time from creation to the deadline that the client requested.
    pub(crate) deadline: Option<Duration>,
    /// Time from creation to the cancel call.
    pub(crate) canceled: Option<Duration>,
    /// The behaviour at creation.
    pub(crate) course: Behaviour,
}

/// How a prediction is presented.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    /// In its real state.
    Honest,
    /// As if it had just been created.
    Starting,
    /// As still running, its output already complete.
    ProcessingWithOutput,
    /// As still running.
    ProcessingNull,
}

impl Prediction {
    /// Returns when and how the prediction ends: by itself, by a cancel call or at its deadline, whichever is first.
    pub(crate) fn find_end(&self) -> (Duration, End) {
        let own = (Duration::from_millis(self.course.delay_ms), self.course.end);
        let canceled = self.canceled.map(|at| (at, End::Canceled));
        let overdue = self.deadline.map(|at| match self.find_start() {
            Some(started) if started <= at => (at, End::Canceled),
            _not_running => (at, End::Aborted),
        });
        [canceled, overdue]
            .into_iter()
            .flatten()
            .fold(own, |first, other| if other.0 < first.0 { other } else { first })
    }

    /// Whether the prediction has ended at this age.
    pub(crate) fn has_ended(&self, age: Duration) -> bool {
        age >= self.find_end().0
    }

    /// Whether its files are still available.
    pub(crate) fn has_files(&self, age: Duration) -> bool {
        let (ended, end) = self.find_end();
        let gone = self.course.delivery_gone_after_ms.map(|ms| ended + Duration::from_millis(ms));
        end == End::Succeeded && age >= ended && gone.is_none_or(|gone| age < gone)
    }

    /// Returns the time from creation to the first state other than `starting`.
    fn find_start(&self) -> Option<Duration> {
        let states = &self.course.states;
        let delay = Duration::from_millis(self.course.delay_ms);
        let first = states.iter().position(|state| state != "starting")?;
        Some(delay * first as u32 / states.len() as u32)
    }

    /// Returns the state at an age before the end.
    fn state_at(&self, age: Duration) -> &str {
        let states = &self.course.states;
        let share = age.as_secs_f64() / Duration::from_millis(self.course.delay_ms).as_secs_f64();
        let index = (share * states.len() as f64) as usize;
        states.get(index).or(states.last()).map_or("starting", String::as_str)
    }

    /// Returns the prediction object at an age. `host` is the authority that the client called.
    pub(crate) fn to_json(&self, age: Duration, host: &str, view: View) -> Value {
        let (ended, end) = self.find_end();
        let done = age >= ended;
        let age = age.min(ended);
        let started = self.find_start().filter(|started| *started <= age && (*started < ended || end != End::Aborted));
        let status = if done { end.as_str() } else { self.state_at(age) };
        let at = |age: Duration| clock::format_timestamp(self.created_us + age.as_micros() as u64);
        let api = format!("http://{host}/v1/predictions/{}", self.id);
        let mut object = json!({
            "id": self.id,
            "model": self.model.full_name(),
            "version": if self.model.official { "hidden" } else { self.model.version.as_str() },
            "input": self.input,
            "logs": started.map_or(String::new(), |started| self.build_logs(age.saturating_sub(started), ended.saturating_sub(started))),
            "output": if done && end == End::Succeeded { self.build_output(host) } else { Value::Null },
            "data_removed": false,
            "error": if done && end == End::Failed { json!(self.course.error) } else { Value::Null },
            "source": "api",
            "status": status,
            "created_at": at(Duration::ZERO),
            "started_at": started.map(at),
            "completed_at": done.then(|| at(ended)),
            "deadline": self.deadline.map(at),
            "deployment": self.deployment,
            "metrics": if done { build_metrics(started, ended) } else { json!({}) },
            "urls": {
                "cancel": format!("{api}/cancel"),
                "get": &api,
                "web": format!("https://replicate.com/p/{}", self.id),
            },
        });
        if self.model.output["x-cog-array-display"] == "concatenate" {
            object["urls"]["stream"] = json!(format!("{api}/stream"));
        }
        if let Value::Object(fields) = &mut object {
            show_as(view, fields);
        }
        object
    }

    /// Returns the prediction object, without input, output and logs once they are due for removal.
    pub(crate) fn to_json_retained(&self, age: Duration, host: &str) -> Value {
        let mut object = self.to_json(age, host, View::Honest);
        let removed = self.course.data_removed_after_ms.map(|ms| self.find_end().0 + Duration::from_millis(ms));
        if removed.is_some_and(|removed| age >= removed) {
            object["data_removed"] = json!(true);
            object["input"] = json!({});
            object["output"] = Value::Null;
            object["logs"] = json!("");
        }
        object
    }

    fn build_output(&self, host: &str) -> Value {
        let extension = self.media.extension();
        let uri = match self.course.delivery {
            Delivery::Remote => format!("https://replicate.delivery/fake/{}.{extension}", self.id),
            Delivery::Local => format!("http://{host}/delivery/{}.{extension}", self.id),
            Delivery::Data => sample::png_data_uri(&self.id),
        };
        let prompt = self.input["prompt"].as_str().unwrap_or_default();
        match &self.course.output {
            Some(template) => {
                sample::fill_template(template, &[("id", &self.id), ("uri", &uri), ("host", host), ("prompt", prompt)])
            }
            None => sample::output_for(&self.model.output, &uri, prompt),
        }
    }

    /// Returns progress lines as tqdm writes them, for the completed part of the run.
    fn build_logs(&self, ran: Duration, run: Duration) -> String {
        if !self.course.progress_logs {
            return String::new();
        }
        let share = if run.is_zero() { 1.0 } else { ran.as_secs_f64() / run.as_secs_f64() };
        let steps = (share * f64::from(PROGRESS_STEP_COUNT)) as u32;
        let line = |step: u32| {
            let (percent, bar) = (step * 100 / PROGRESS_STEP_COUNT, "#".repeat(step as usize / 2));
            format!("{percent:3}%|{bar:<10}| {step}/{PROGRESS_STEP_COUNT} [00:00<00:00, 20.00it/s]\n")
        };
        (0..=steps).map(line).collect()
    }
}

/// Returns the metrics of the run; a prediction that never started has none.
fn build_metrics(started: Option<Duration>, ended: Duration) -> Value {
    let mut metrics = json!({"total_time": ended.as_secs_f64()});
    if let Some(started) = started {
        metrics["predict_time"] = json!(ended.saturating_sub(started).as_secs_f64());
    }
    metrics
}

/// Rewrites the object for a view other than the real one.
fn show_as(view: View, fields: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Value| fields.insert(name.into(), value);
    match view {
        View::Honest => return,
        View::Starting => {
            set("status", json!("starting"));
            set("started_at", Value::Null);
            set("logs", json!(""));
            set("output", Value::Null);
        }
        View::ProcessingWithOutput => {
            set("status", json!("processing"));
        }
        View::ProcessingNull => {
            set("status", json!("processing"));
            set("output", Value::Null);
        }
    }
    set("error", Value::Null);
    set("completed_at", Value::Null);
    set("metrics", json!({}));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Sound;
    use crate::models;

    fn prediction(course: Behaviour) -> Prediction {
        Prediction {
            id: "p1".into(),
            model: models::by_name("black-forest-labs/flux-kontext-pro", &[]).expect("the model is built in"),
            deployment: None,
            input: json!({"prompt": "a hat"}),
            media: Arc::new(Media::Wav(Sound::read_aloud("a hat"))),
            created_us: 0,
            deadline: None,
            canceled: None,
            course,
        }
    }

    fn slow() -> Behaviour {
        Behaviour { delay_ms: 1000, ..Behaviour::default() }
    }

    fn check(prediction: &Prediction, statuses: &[(u64, &str)]) {
        for (ms, expected) in statuses {
            let object = prediction.to_json(Duration::from_millis(*ms), "h", View::Honest);
            assert_eq!(object["status"], *expected, "after {ms} ms");
        }
    }

    #[test]
    fn the_states_are_passed_in_order_and_in_equal_parts() {
        check(
            &prediction(slow()),
            &[(0, "starting"), (499, "starting"), (500, "processing"), (999, "processing"), (1000, "succeeded")],
        );
        let states = ["starting", "queued", "processing", "finishing"].map(String::from).to_vec();
        let odd = prediction(Behaviour { states, end: End::Aborted, ..slow() });
        check(&odd, &[(0, "starting"), (250, "queued"), (500, "processing"), (750, "finishing"), (1000, "aborted")]);
        check(
            &prediction(Behaviour { states: vec![], ..slow() }),
            &[(0, "starting"), (999, "starting"), (1000, "succeeded")],
        );
        check(&prediction(Behaviour { delay_ms: 0, ..slow() }), &[(0, "succeeded")]);
    }

    #[test]
    fn a_deadline_cancels_what_runs_and_aborts_what_does_not() {
        let at = |ms| Prediction { deadline: Some(Duration::from_millis(ms)), ..prediction(slow()) };
        check(&at(400), &[(399, "starting"), (400, "aborted")]);
        check(&at(700), &[(699, "processing"), (700, "canceled")]);
        check(&at(2000), &[(1000, "succeeded"), (3000, "succeeded")]);
    }

    #[test]
    fn a_cancelled_one_stays_cancelled() {
        let canceled = Prediction { canceled: Some(Duration::from_millis(300)), ..prediction(slow()) };
        check(&canceled, &[(299, "starting"), (300, "canceled"), (5000, "canceled")]);
        let object = canceled.to_json(Duration::from_secs(9), "h", View::Honest);
        assert_eq!((&object["output"], &object["completed_at"]), (&Value::Null, &json!("1970-01-01T00:00:00.300000Z")));
        assert_eq!(object["started_at"], Value::Null);
    }

    #[test]
    fn progress_grows_to_the_end() {
        let logs = |ms| prediction(slow()).to_json(Duration::from_millis(ms), "h", View::Honest)["logs"].clone();
        assert_eq!(logs(100), "");
        let half = logs(725);
        let last = half.as_str().and_then(|logs| logs.lines().last()).map(str::to_owned);
        assert_eq!(last.as_deref(), Some(" 45%|####      | 9/20 [00:00<00:00, 20.00it/s]"));
        assert!(logs(1000).as_str().is_some_and(|logs| logs.contains("100%|##########| 20/20")));
    }

    #[test]
    fn data_is_removed_after_its_time() {
        let kept = prediction(Behaviour { data_removed_after_ms: Some(500), ..slow() });
        let before = kept.to_json_retained(Duration::from_millis(1499), "h");
        assert_eq!(before["output"], "https://replicate.delivery/fake/p1.wav");
        let after = kept.to_json_retained(Duration::from_millis(1500), "h");
        assert_eq!(
            (&after["output"], &after["input"], &after["data_removed"]),
            (&Value::Null, &json!({}), &json!(true))
        );
        assert_eq!(after["status"], "succeeded");
    }
}
