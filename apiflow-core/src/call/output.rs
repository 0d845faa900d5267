//! Maps a reply to a node's outputs.

use serde_json::{Map, Value};

use super::reply_body::Body;
use super::retry_after::first_header;
use super::{CallError, ErrorClass, MediaLink, PendingDownloads};
use crate::declarations::NodeOutput;
use crate::diagnostic::suggest::list_all;
use crate::diagnostic::{Diagnostic, codes};
use crate::json::describe_with_length;
use crate::json::pointer_push;
use crate::json::{JsonPath, PathMatch};
use crate::ports::HttpReply;
use crate::url;
use crate::value_type::ValueType;

/// Maximum size of media inside a reply's JSON, in bytes; larger media is refused.
pub(super) const MAX_INLINE_MEDIA_BYTES: usize = 8 * 1024;

/// Maximum number of media files in one reply.
const MAX_MEDIA: usize = 1000;

/// A compiled output.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    name: String,
    value_type: ValueType,
    default: Option<Value>,
    source: OutputSource,
    pick: Option<Pick>,
    /// Whether `decode` says that the value is a link, so that it may be relative in any form.
    is_link: bool,
    mime: Option<String>,
}

/// Where an output's value comes from.
#[derive(Debug, Clone)]
enum OutputSource {
    Path(JsonPath),
    Body,
    Status,
    Header(String),
}

/// Which of several values is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    First,
    Last,
    Join,
    All,
}

impl Mapping {
    /// Returns whether this is the compiled form of an output.
    pub(super) fn is_of(&self, output: &NodeOutput) -> bool {
        self.name == output.name
    }

    /// Returns whether the value comes from the reply's body.
    pub(super) fn reads_body(&self) -> bool {
        match self.source {
            OutputSource::Path(_) | OutputSource::Body => true,
            OutputSource::Status | OutputSource::Header(_) => false,
        }
    }

    /// Returns whether the value is the whole body.
    pub(super) fn is_whole_body(&self) -> bool {
        match self.source {
            OutputSource::Body => true,
            OutputSource::Path(_) | OutputSource::Status | OutputSource::Header(_) => false,
        }
    }

    /// Compiles the outputs that a node declares.
    pub(super) fn compile_outputs(outputs: &[NodeOutput], found: &mut Vec<Diagnostic>) -> Vec<Self> {
        outputs.iter().enumerate().filter_map(|(index, output)| compile_mapping(output, index, found)).collect()
    }

    /// Reads the output's value from a reply of success.
    ///
    /// The value of a media output (image, video, audio, file) is the provider's link, see [`Mapping::take_links`].
    fn read(&self, reply: &HttpReply, body: &Body<'_>) -> Result<Value, String> {
        let value = match &self.source {
            OutputSource::Status => Value::from(reply.status),
            OutputSource::Header(name) => match first_header(reply, name) {
                Some(text) => Value::from(text),
                None => return self.default_or_fail(&format!("the reply has no header `{name}`")),
            },
            OutputSource::Body => match (self.value_type, body) {
                (
                    ValueType::Number | ValueType::Integer | ValueType::Boolean | ValueType::Object | ValueType::Array,
                    Body::Json(json, _),
                ) => json.clone(),
                (_, Body::Json(_, text) | Body::Text(text)) => Value::from(*text),
                (_, Body::Empty) => return self.default_or_fail("the reply has no body"),
                (_, Body::Bytes(size)) => return Err(format!("the reply is {size} bytes of binary data")),
            },
            OutputSource::Path(path) => match body.json().map(|json| (path.find_in(json), json)) {
                None => return Err(format!("the reply has no `{}`: it is {}", path.source(), body.describe_kind())),
                Some((PathMatch::Absent, json)) => {
                    let place = format!("the reply has no `{}`: it is {}", path.source(), outline_json(json));
                    return self.default_or_fail(&place);
                }
                Some((PathMatch::Null, _)) => return Err(format!("`{}` is null", path.source())),
                Some((found, _)) => found.into_value().unwrap_or_default(),
            },
        };
        self.check_type(self.pick_value(value)?)
    }

    fn default_or_fail(&self, reason: &str) -> Result<Value, String> {
        self.default.clone().ok_or_else(|| reason.to_owned())
    }

    fn pick_value(&self, value: Value) -> Result<Value, String> {
        let Some(pick) = self.pick else { return Ok(value) };
        let Value::Array(items) = value else {
            return Ok(if pick == Pick::All { Value::Array(vec![value]) } else { value });
        };
        let wants_list = self.value_type == ValueType::Array;
        match pick {
            Pick::All => Ok(Value::Array(items)),
            Pick::Join => items
                .iter()
                .map(|item| {
                    item.as_str().ok_or_else(|| {
                        format!("an array that contains {} cannot be joined", describe_with_length(item))
                    })
                })
                .collect::<Result<String, _>>()
                .map(Value::from),
            Pick::First | Pick::Last => {
                let chosen = if pick == Pick::First { items.into_iter().next() } else { items.into_iter().last() };
                let chosen = chosen.ok_or("it is an empty array")?;
                if chosen.is_array() && !wants_list { self.pick_value(chosen) } else { Ok(chosen) }
            }
        }
    }

    fn check_type(&self, value: Value) -> Result<Value, String> {
        let several = self.pick == Some(Pick::All) && self.value_type != ValueType::Array;
        let list = value.as_array().filter(|_| several);
        let items = list.map_or(std::slice::from_ref(&value), Vec::as_slice);
        for item in items {
            if let Some(size) = inline_media(item) {
                return Err(format!(
                    "it contains {size} bytes of inline media, more than the limit of {MAX_INLINE_MEDIA_BYTES}: ask \
                     the provider for a link"
                ));
            }
            if !self.value_type.matches(item) {
                let pick = if item.is_array() { "; select an element with `pick`" } else { "" };
                return Err(format!(
                    "it must be {}, not {}{pick}",
                    self.value_type.describe(),
                    describe_with_length(item)
                ));
            }
            if self.value_type.is_media() && !self.is_media_link(item) {
                return Err("the value is not an http, https or data URL".to_owned());
            }
        }
        Ok(value)
    }

    /// Returns whether a value is a link: absolute, a data URI, or relative to the URL of its reply.
    fn is_media_link(&self, value: &Value) -> bool {
        let starts = ["http://", "https://", "data:", "/", "./", "../"];
        value.as_str().is_some_and(|text| self.is_link || starts.iter().any(|start| text.starts_with(start)))
    }

    /// Takes the links out of the value of a media output, and leaves null in their places. `base` is the URL of the
    /// reply, which relative links refer to.
    fn take_links(&self, value: &mut Value, base: &str, media: &mut Vec<MediaLink>) -> Result<(), String> {
        let place = pointer_push("", &self.name);
        let places: Vec<(String, &mut Value)> = if let Value::Array(items) = value {
            items.iter_mut().enumerate().map(|(index, item)| (format!("{place}/{index}"), item)).collect()
        } else {
            vec![(place, value)]
        };
        for (index, (pointer, item)) in places.into_iter().enumerate() {
            let Value::String(text) = item else { continue };
            let link = if text.starts_with("data:") { Some(std::mem::take(text)) } else { url::join_url(base, text) };
            let link = link.ok_or_else(|| "the value is not an http, https or data URL".to_owned())?;
            *item = Value::Null;
            let (output, value_type, mime) = (self.name.clone(), self.value_type, self.mime.clone());
            media.push(MediaLink { pointer, output, index, value_type, mime, link });
        }
        if media.len() > MAX_MEDIA {
            return Err(format!("the reply has more than {MAX_MEDIA} media files"));
        }
        Ok(())
    }
}

/// Returns the object of all outputs, or the reply's JSON if none is declared, which is moved out of the body. The
/// links of media outputs are listed beside it, with null in their places. `accept` is the kind of body that was
/// requested, `base` the URL that relative links refer to.
pub(super) fn read_all(
    mappings: &[Mapping],
    accept: Option<&str>,
    (reply, base): (&HttpReply, &str),
    body: &mut Body<'_>,
) -> Result<PendingDownloads, CallError> {
    let invalid = |message: String| CallError::new(ErrorClass::OutputInvalid, message);
    let mut media = Vec::new();
    if mappings.is_empty() {
        return undeclared_result(accept, reply, body)
            .map(|result| PendingDownloads { result, media })
            .map_err(invalid);
    }
    let mut outputs = Map::new();
    for mapping in mappings {
        let unreadable = |reason: String| invalid(format!("output `{}` cannot be read: {reason}", mapping.name));
        let mut value = mapping.read(reply, body).map_err(unreadable)?;
        if mapping.value_type.is_media() {
            mapping.take_links(&mut value, base, &mut media).map_err(unreadable)?;
        }
        outputs.insert(mapping.name.clone(), value);
    }
    Ok(PendingDownloads { result: Value::Object(outputs), media })
}

fn undeclared_result(accept: Option<&str>, reply: &HttpReply, body: &mut Body<'_>) -> Result<Value, String> {
    match body {
        // Plain text is a valid result; malformed JSON is not.
        Body::Text(_) if says_json(reply) => {
            Err("the reply's content type is JSON, but its body is not valid JSON".to_owned())
        }
        Body::Text(text) if is_page(reply, text) && !accept.is_some_and(asks_for_page) => {
            Err("the reply is an HTML page instead of an API response: check the connector's `base_url` and the \
                 node's `data.path`, or set `data.accept` to `text/html` if you want the page"
                .to_owned())
        }
        Body::Text(text) => {
            let value = Value::from(*text);
            unless_media(&value)?;
            Ok(value)
        }
        Body::Empty => Ok(Value::Null),
        Body::Bytes(size) => {
            Err(format!("the reply is {size} bytes of binary data, but the node declares no output for it"))
        }
        Body::Json(json, _) => {
            unless_media(json)?;
            Ok(std::mem::take(json))
        }
    }
}

fn unless_media(value: &Value) -> Result<(), String> {
    match inline_media(value) {
        None => Ok(()),
        Some(size) => Err(format!(
            "the reply contains {size} bytes of inline media in its JSON, more than the limit of \
             {MAX_INLINE_MEDIA_BYTES}: ask the provider for a link, or declare only the outputs that you need"
        )),
    }
}

/// Returns the media type of a reply's `content-type`, in lower case.
fn content_type(reply: &HttpReply) -> String {
    let kind = first_header(reply, "content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

fn says_json(reply: &HttpReply) -> bool {
    let kind = content_type(reply);
    kind == "application/json" || kind.ends_with("+json")
}

/// Returns whether a reply is an HTML page for people, as proxies, tunnels and login walls send it.
fn is_page(reply: &HttpReply, text: &str) -> bool {
    let starts = |start: &str| {
        let text = text.trim_start();
        text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    };
    matches!(content_type(reply).as_str(), "text/html" | "application/xhtml+xml")
        || starts("<!doctype html")
        || starts("<html")
}

fn asks_for_page(accept: &str) -> bool {
    accept.to_ascii_lowercase().contains("html")
}

fn compile_mapping(output: &NodeOutput, index: usize, found: &mut Vec<Diagnostic>) -> Option<Mapping> {
    let pointer = format!("/output/{index}");
    if let Some(decode) = output.decode.as_deref().filter(|decode| !["url", "text"].contains(decode)) {
        let message = format!("`decode` `{decode}` is not supported yet");
        let help = "ask the provider for a link instead of inline data";
        found.push(
            Diagnostic::new_error(codes::NOT_SUPPORTED, pointer_push(&pointer, "decode"), message).with_help(help),
        );
    }
    let source = match output.mapping.trim() {
        "" => OutputSource::Path(JsonPath::from_key(&output.name)),
        "@body" => OutputSource::Body,
        "@status" => OutputSource::Status,
        mapping => match mapping.strip_prefix("@header.") {
            Some(name) => OutputSource::Header(name.to_owned()),
            None => match JsonPath::parse(mapping) {
                Ok(path) if !mapping.starts_with('@') => OutputSource::Path(path),
                parsed => {
                    let fault = parsed
                        .err()
                        .unwrap_or_else(|| "the special sources are @body, @status and @header.NAME".to_owned());
                    let message = format!("`{mapping}` is not a path: {fault}");
                    found.push(Diagnostic::new_error(codes::PATH_SYNTAX, pointer_push(&pointer, "mapping"), message));
                    return None;
                }
            },
        },
    };
    let pick = match output.pick.as_deref() {
        Some("first") => Some(Pick::First),
        Some("last") => Some(Pick::Last),
        Some("join") => Some(Pick::Join),
        Some("all") => Some(Pick::All),
        Some(_) | None => None,
    };
    let (name, default) = (output.name.clone(), output.default.clone());
    let (is_link, mime) = (output.decode.as_deref() == Some("url"), output.mime.clone());
    Some(Mapping { name, value_type: output.r#type, default, source, pick, is_link, mime })
}

/// Returns the size of the first data URI or run of base64 over the limit, at any depth.
fn inline_media(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) if text.len() > MAX_INLINE_MEDIA_BYTES => {
            let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=-_\r\n".contains(c);
            (text.starts_with("data:") || text.chars().all(base64)).then_some(text.len())
        }
        Value::Array(items) => items.iter().find_map(inline_media),
        Value::Object(fields) => fields.values().find_map(inline_media),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Summarizes a reply's JSON for a message.
fn outline_json(json: &Value) -> String {
    match json.as_object() {
        Some(fields) if !fields.is_empty() => {
            let names: Vec<&str> = fields.keys().take(12).map(String::as_str).collect();
            format!("an object with {}", list_all(&names))
        }
        Some(_) | None => describe_with_length(json),
    }
}
