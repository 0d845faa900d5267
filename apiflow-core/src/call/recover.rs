//! Finds a submit of unknown fate in the provider's own list.

use std::collections::BTreeSet;

use serde_json::Value;

use super::arguments::is_same_json;
use super::http_failure::Purpose;
use super::operation_rule::RecoverRule;
use super::plan::CallPlan;
use super::reply_body::Body;
use super::{CallError, ErrorClass, RecoveryReading};
use crate::ports::{HttpReply, HttpRequest, MediaForm, MediaUse, RequestBody, Timestamp};
use crate::url;

impl CallPlan {
    /// Searches a page of the provider's list for `submitted`: created at or after `after`, with the same input, and
    /// with an id that is not in `taken`. The oldest match is taken. Times that the list gives in whole seconds are
    /// compared in whole seconds.
    pub fn read_recover(
        &self,
        reply: &HttpReply,
        submitted: &HttpRequest,
        after: Timestamp,
        taken: &BTreeSet<String>,
    ) -> RecoveryReading {
        let body = Body::read(reply);
        let Some((rule, recover)) = self.rule.as_ref().and_then(|rule| Some((rule, rule.recover.as_ref()?))) else {
            return RecoveryReading::NotFound;
        };
        if !(200..300).contains(&reply.status) {
            return RecoveryReading::Unreadable(self.http_failure(reply, &body, Purpose::Follow));
        }
        let json = body.json().unwrap_or(&Value::Null);
        let Some(Value::Array(items)) = recover.items.find_in(json).into_value() else {
            let message = format!(
                "{}'s list of operations has no `{}`: it is {}",
                self.provider,
                recover.items.source(),
                body.describe_kind()
            );
            return RecoveryReading::Unreadable(self.error_with_reply(
                ErrorClass::OutputInvalid,
                message,
                reply,
                &body,
            ));
        };
        let young = |item: &Value| created_at(recover, item).is_some_and(|moment| moment.is_after(after));
        let sent = Sent::from_request(submitted, recover);
        let found = items
            .iter()
            .filter(|item| young(item))
            .filter(|item| recover.id.find_text(item).is_some_and(|id| !taken.contains(&id)))
            .filter(|item| sent.matches_item(recover, item))
            .min_by_key(|item| created_at(recover, item).map(|moment| moment.at));
        if let Some(item) = found {
            return RecoveryReading::Found(self.listed_operation(rule, item, reply));
        }
        let older = recover.next.as_ref().and_then(|next| next.find_text(json));
        match older.filter(|_| items.last().is_some_and(young)).map(|next| self.next_page(&next, reply)) {
            Some(Ok(request)) => RecoveryReading::More(Box::new(request)),
            Some(Err(error)) => RecoveryReading::Unreadable(error),
            None => RecoveryReading::NotFound,
        }
    }

    fn next_page(&self, link: &str, reply: &HttpReply) -> Result<HttpRequest, CallError> {
        let odd = || {
            CallError::new(
                ErrorClass::OutputInvalid,
                format!("{}'s list of operations continues at an invalid link", self.provider),
            )
        };
        let url = url::join_url(self.reply_url(reply), link).ok_or_else(odd)?;
        self.follow_link("GET", &url, None)
    }
}

/// What was sent, as far as a list can repeat it.
struct Sent {
    input: Option<Value>,
    media: Vec<MediaUse>,
    /// Strings outside of the input: the joined segments of the URL's path, and the other strings of the body.
    url: String,
    texts: Vec<String>,
}

impl Sent {
    fn from_request(submitted: &HttpRequest, rule: &RecoverRule) -> Self {
        let body: Value = match &submitted.body {
            RequestBody::None | RequestBody::Multipart { .. } | RequestBody::Media(_) => Value::Null,
            RequestBody::Text(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        };
        let input = rule.sent.find_in(&body).into_value();
        let fields = body.as_object().into_iter().flatten();
        let texts = fields
            .filter(|(key, _)| rule.sent.first_key() != Some(key))
            .filter_map(|(_, value)| value.as_str().map(str::to_owned))
            .collect();
        let media = submitted.media.clone();
        Self { input, media, url: format!("{}/", url::without_query(&submitted.url)), texts }
    }

    fn matches_item(&self, rule: &RecoverRule, item: &Value) -> bool {
        let same_input = match (&self.input, rule.input.find_in(item).into_value()) {
            (Some(sent), Some(listed)) => self.includes_input(&listed, sent),
            (Some(_) | None, _) => false,
        };
        let names: Vec<String> = rule.mentions.iter().filter_map(|path| path.find_text(item)).collect();
        same_input && (names.is_empty() || names.iter().any(|name| self.mentions_name(name)))
    }

    /// Returns whether a name of the list occurs in the URL's path, or in a string of the body (`owner/name:version`).
    fn mentions_name(&self, name: &str) -> bool {
        let in_text = |text: &String| text == name || text.split(':').any(|part| part == name);
        !name.is_empty() && (self.url.contains(&format!("/{name}/")) || self.texts.iter().any(in_text))
    }

    /// Returns whether the listed input is the one that was sent; the provider may have added defaults.
    fn includes_input(&self, listed: &Value, sent: &Value) -> bool {
        match (listed, sent) {
            (Value::Object(listed), Value::Object(sent)) => {
                sent.iter().all(|(key, value)| listed.get(key).is_some_and(|listed| self.is_same(listed, value)))
            }
            _ => self.is_same(listed, sent),
        }
    }

    /// Compares a listed value with the one that was sent. A link to a file may have another signature, and the content
    /// of a file may be listed in any form.
    fn is_same(&self, listed: &Value, sent: &Value) -> bool {
        match (listed, sent) {
            (Value::Array(listed), Value::Array(sent)) => {
                listed.len() == sent.len() && listed.iter().zip(sent).all(|(listed, sent)| self.is_same(listed, sent))
            }
            (Value::Object(listed), Value::Object(sent)) => {
                let is_listed =
                    |(key, value): (&String, &Value)| listed.get(key).is_some_and(|listed| self.is_same(listed, value));
                listed.len() == sent.len() && sent.iter().all(is_listed)
            }
            (listed, Value::String(text)) => match self.media.iter().find(|used| text.contains(&used.marker)) {
                None => is_same_json(listed, sent),
                Some(MediaUse { form: MediaForm::Url(link), .. }) => {
                    listed.as_str().is_some_and(|listed| url::without_query(listed) == url::without_query(link))
                }
                Some(_) => true,
            },
            _ => is_same_json(listed, sent),
        }
    }
}

/// A time in the provider's list, with its precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ListedMoment {
    at: Timestamp,
    /// Whether the time has a fraction of a second.
    has_fraction: bool,
}

impl ListedMoment {
    /// Parses RFC 3339 (`2026-01-31T12:00:00.123Z`, also with a space instead of `T`).
    fn parse(text: &str) -> Option<Self> {
        Some(Self { at: Timestamp::from_rfc3339(text)?, has_fraction: text.contains('.') })
    }

    /// Returns whether the work was created at or after `after`, within the precision of the list.
    fn is_after(self, after: Timestamp) -> bool {
        let seconds = |moment: Timestamp| moment.0.div_euclid(1000);
        if self.has_fraction { self.at >= after } else { seconds(self.at) >= seconds(after) }
    }
}

fn created_at(rule: &RecoverRule, item: &Value) -> Option<ListedMoment> {
    ListedMoment::parse(&rule.created_at.find_text(item)?)
}

#[cfg(test)]
mod tests {
    use super::ListedMoment;

    #[test]
    fn moments_are_read_with_zone_and_fraction() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some((0, false))),
            ("2000-02-29T12:00:00Z", Some((951_825_600_000, false))),
            ("2026-01-31T12:00:00.123456Z", Some((1_769_860_800_123, true))),
            ("2026-01-31T12:00:00.5Z", Some((1_769_860_800_500, true))),
            ("2026-01-31T13:00:00+01:00", Some((1_769_860_800_000, false))),
            ("2026-01-31 06:30:00-05:30", Some((1_769_860_800_000, false))),
            ("1969-12-31T23:59:59Z", Some((-1000, false))),
            ("2026-01-31", None),
            ("2026-13-31T12:00:00Z", None),
            ("2026-01-31T25:00:00Z", None),
            ("2026-01-31T12:00:00", None),
            ("2026-01-31T12:00:00.Z", None),
            ("2026-01-31é12:00:00Z", None),
            ("soon", None),
        ] {
            assert_eq!(ListedMoment::parse(text).map(|moment| (moment.at.0, moment.has_fraction)), expected, "{text}");
        }
    }
}
