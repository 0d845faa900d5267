//! What a reply says about running work beside its state: the position in the queue, a preview, the log.

use serde_json::json;

use super::operation_rule::{Progress, Rule};
use super::plan::CallPlan;
use super::read_reply::read_log;
use super::reply_body::{Body, cut_base64_runs};
use super::reply_media::MAX_INLINE_MEDIA_BYTES;
use crate::digest::hash_value;
use crate::ports::{HttpReply, LogTail};

/// Maximum length of the link of a preview, in bytes.
const MAX_PREVIEW_LINK_BYTES: usize = 4 * 1024;
/// Maximum length of the end of a log in an error, in characters.
const MAX_ERROR_LOG_CHARS: usize = 1000;
/// Number of hexadecimal digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 16;

/// What a reply says about running work beside its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WorkReport {
    /// Position in the provider's queue.
    pub(crate) queue_position: Option<u64>,
    /// Link or small data URI of a preview of the result.
    pub(crate) preview: Option<String>,
    /// End of the log.
    pub(crate) log: Option<LogTail>,
}

impl WorkReport {
    /// Returns whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns a short text that differs for different reports.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = hash_value(&json!([self.queue_position, self.preview, self.log]));
        hash.truncate(FINGERPRINT_DIGITS);
        hash
    }

    /// Adds what a later reply says; its silence about the log is not news.
    pub(crate) fn update(&mut self, later: Self) {
        let log = later.log.or(self.log.take());
        *self = Self { log, ..later };
    }

    /// Returns the end of the log for an error; `None` if there is none.
    pub(crate) fn end_of_log(&self) -> Option<&str> {
        let log = self.log.as_ref()?.text.trim_end();
        let start = log.char_indices().rev().nth(MAX_ERROR_LOG_CHARS - 1).map_or(0, |(at, _)| at);
        (!log.is_empty()).then(|| &log[start..])
    }
}

impl CallPlan {
    /// Returns whether the operation declares what [`CallPlan::read_report`] looks for.
    pub(crate) fn has_report(&self) -> bool {
        self.rule.as_ref().is_some_and(declares_report)
    }

    /// Reads what a reply says about running work beside its state.
    pub(crate) fn read_report(&self, reply: &HttpReply) -> WorkReport {
        let Some(rule) = self.rule.as_ref().filter(|rule| declares_report(rule)) else { return WorkReport::default() };
        let body = Body::read(reply);
        let Some(json) = body.json() else { return WorkReport::default() };
        let Progress { queue, preview, .. } = &rule.progress;
        WorkReport {
            queue_position: queue.as_ref().and_then(|path| read_position(&path.find_text(json)?)),
            preview: preview.as_ref().and_then(|path| path.find_text(json)).filter(|text| is_preview(text)),
            log: rule.logs.as_ref().and_then(|path| read_log(path, json)).map(|log| keep_tail(&log)),
        }
    }
}

fn declares_report(rule: &Rule) -> bool {
    rule.logs.is_some() || rule.progress.queue.is_some() || rule.progress.preview.is_some()
}

fn read_position(text: &str) -> Option<u64> {
    text.parse::<u32>().ok().map(u64::from)
}

/// Returns whether a text is a link, or a data URI of an image that is small enough to be shown with a step.
fn is_preview(text: &str) -> bool {
    let is_link = ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    let is_small = text.len() <= if is_link { MAX_PREVIEW_LINK_BYTES } else { MAX_INLINE_MEDIA_BYTES };
    let is_plain = !text.contains(|c: char| c.is_control() || c.is_whitespace());
    (is_link || text.starts_with("data:image/")) && is_small && is_plain
}

/// Keeps the end of a log without media, and without characters that databases refuse.
fn keep_tail(log: &str) -> LogTail {
    LogTail::of_text(&cut_base64_runs(log).replace('\0', "\u{fffd}"))
}
