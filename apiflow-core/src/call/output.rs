//! Maps a reply to a node's outputs.

use serde_json::{Map, Value};

use super::media_value::{Decode, is_in_reply, locate_media};
use super::reply_body::Body;
use super::reply_media::{MAX_INLINE_MEDIA_BYTES, Marker};
use super::reply_rules::matches_host;
use super::retry_after::first_header;
use super::{CallError, ErrorClass, MediaLink, PendingDownloads};
use crate::declarations::NodeOutput;
use crate::diagnostic::suggest::list_all;
use crate::diagnostic::{Diagnostic, codes};
use crate::json::describe_with_length;
use crate::json::pointer_push;
use crate::json::{JsonPath, PathMatch};
use crate::ports::HttpReply;
use crate::template::{Root, TemplateCompiler, TemplateScope, Text};
use crate::url;
use crate::value_type::ValueType;

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
    decode: Option<Decode>,
    /// Template of the link to a value that is an object.
    link: Option<Text>,
    /// How long links are valid, in seconds.
    link_lifetime_s: Option<f64>,
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

    /// Returns whether the output is media.
    pub(super) fn is_media(&self) -> bool {
        self.value_type.is_media()
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
    /// Where the bytes of a media output (image, video, audio, file) are is found by [`Mapping::take_media`].
    fn read(&self, reply: &HttpReply, base_url: &str, body: &Body<'_>) -> Result<Value, String> {
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
                // The body is a string of JSON.
                (ValueType::Image | ValueType::Video | ValueType::Audio | ValueType::File, Body::Json(json, _))
                    if json.is_string() && self.decode != Some(Decode::Text) =>
                {
                    json.clone()
                }
                (ValueType::Image | ValueType::Video | ValueType::Audio | ValueType::File, Body::Media(marker)) => {
                    Value::from(*marker)
                }
                (_, Body::Json(_, text) | Body::Text(text)) => Value::from(*text),
                (_, Body::Media(_)) => return Err(format!("the reply is {}", body.describe_kind())),
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
        let picked = self.pick_value(value)?;
        self.check_type(self.expand_links(picked, base_url)?)
    }

    /// Replaces the values by links, if the output has a template for them.
    fn expand_links(&self, value: Value, base_url: &str) -> Result<Value, String> {
        let Some(template) = &self.link else { return Ok(value) };
        let expand = |item: &Value| {
            let link = template.expand_link(&TemplateScope::for_item(item));
            let link = link.map_err(|reason| format!("its `link` cannot be built: {reason}"))?;
            let is_absolute = link.starts_with("http://") || link.starts_with("https://");
            Ok(Value::from(if is_absolute { link } else { url::append_path(base_url, &link) }))
        };
        match value {
            Value::Array(items) if self.pick == Some(Pick::All) => items.iter().map(expand).collect(),
            item @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_)) => {
                if self.default.as_ref() == Some(&item) {
                    Ok(item)
                } else {
                    expand(&item)
                }
            }
        }
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
            // The parts of media are joined when their bytes are known.
            Pick::Join if self.value_type.is_media() => Ok(Value::Array(items)),
            Pick::Join => items
                .iter()
                .map(|item| {
                    let text = item.as_str().ok_or_else(|| {
                        format!("an array that contains {} cannot be joined", describe_with_length(item))
                    })?;
                    self.decode_text(text)
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

    /// Decodes the value of a string output.
    fn decode_text(&self, text: &str) -> Result<String, String> {
        match self.decode {
            Some(decode) if Marker::parse(text).is_none() => decode.to_text(text),
            Some(_) | None => Ok(text.to_owned()),
        }
    }

    fn check_type(&self, mut value: Value) -> Result<Value, String> {
        if self.value_type.is_media() {
            return Ok(value);
        }
        if let (ValueType::String, Value::String(text), true) = (self.value_type, &value, self.pick != Some(Pick::Join))
        {
            value = Value::from(self.decode_text(text)?);
        }
        let several = self.pick == Some(Pick::All) && self.value_type != ValueType::Array;
        let list = value.as_array().filter(|_| several);
        let items = list.map_or(std::slice::from_ref(&value), Vec::as_slice);
        for item in items {
            if let Some(size) = inline_media(item) {
                return Err(format!(
                    "it contains {size} bytes of inline media, more than the limit of {MAX_INLINE_MEDIA_BYTES}: \
                     declare the output as an image, video, audio or file"
                ));
            }
            // A provider's object is no artifact of ours.
            if !self.value_type.matches(item) || self.value_type == ValueType::String && !item.is_string() {
                return Err(self.wrong_type(item));
            }
        }
        Ok(value)
    }

    fn wrong_type(&self, item: &Value) -> String {
        let pick = if item.is_array() { "; select an element with `pick`" } else { "" };
        format!("it must be {}, not {}{pick}", self.value_type.describe(), describe_with_length(item))
    }

    /// Takes the media out of the value of a media output, and leaves null in its places. `base` is the URL of the
    /// reply, which relative links refer to.
    fn take_media(&self, value: &mut Value, base: &str, media: &mut Vec<MediaLink>) -> Result<(), String> {
        // A default that is no link stands for no media.
        if !value.is_string() && self.default.as_ref() == Some(value) {
            return Ok(());
        }
        let place = pointer_push("", &self.name);
        let places: Vec<(String, Value)> = match (std::mem::take(value), self.pick) {
            (Value::Array(items), Some(Pick::All)) => {
                *value = Value::Array(vec![Value::Null; items.len()]);
                items.into_iter().enumerate().map(|(index, item)| (format!("{place}/{index}"), item)).collect()
            }
            (single, _) => vec![(place, single)],
        };
        for (index, (pointer, item)) in places.into_iter().enumerate() {
            let link = self.locate(&item, base)?;
            let (value_type, mime) = (self.value_type, self.mime.clone());
            media.push(MediaLink { mime, ..self.media_link(pointer, index, value_type, link) });
        }
        if media.len() > MAX_MEDIA {
            return Err(format!("the reply has more than {MAX_MEDIA} media files"));
        }
        Ok(())
    }

    fn media_link(&self, pointer: String, index: usize, value_type: ValueType, link: String) -> MediaLink {
        MediaLink {
            pointer,
            output: self.name.clone(),
            index,
            value_type,
            mime: None,
            link,
            lifetime_s: self.link_lifetime_s,
            expires_at: None,
            is_copy: false,
        }
    }

    /// Adds copies of the files that the links of a string output lead to, if their hosts are listed. The value stays as
    /// it is.
    fn add_copies(&self, value: &Value, hosts: &[String], media: &mut Vec<MediaLink>) {
        let place = pointer_push("", &self.name);
        let listed = |link: &str| {
            let host = url::host_of(link);
            host.is_some_and(|host| hosts.iter().any(|pattern| matches_host(pattern, &host)))
        };
        let items: Vec<(String, &Value)> = match value.as_array() {
            Some(items) => items.iter().enumerate().map(|(index, item)| (format!("{place}/{index}"), item)).collect(),
            None => vec![(place, value)],
        };
        for (index, (pointer, item)) in items.into_iter().enumerate() {
            let Some(link) = item.as_str().filter(|link| listed(link)) else { continue };
            if media.len() < MAX_MEDIA {
                let copy = self.media_link(pointer, index, ValueType::File, link.to_owned());
                media.push(MediaLink { is_copy: true, ..copy });
            }
        }
    }

    /// Returns where the bytes of one file are; those of several strings are joined.
    fn locate(&self, item: &Value, base: &str) -> Result<String, String> {
        let locate = |text: &str| locate_media(text, self.decode, self.mime.as_deref(), base);
        match item {
            Value::String(text) => locate(text),
            Value::Array(items) if self.pick == Some(Pick::Join) && !items.is_empty() => {
                let parts = items.iter().map(|item| {
                    let part = locate(item.as_str().ok_or_else(|| self.wrong_type(item))?)?;
                    if is_in_reply(&part) { Ok(part) } else { Err("links cannot be joined".to_owned()) }
                });
                Ok(parts.collect::<Result<Vec<_>, String>>()?.join("\n"))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(self.wrong_type(item))
            }
        }
    }
}

/// What the links of a reply are read with.
pub(super) struct LinkContext<'p> {
    /// The URL that relative links refer to.
    pub(super) reply_url: &'p str,
    /// The URL that links from templates are appended to.
    pub(super) base_url: &'p str,
    /// Hosts whose files are kept although the output is a string.
    pub(super) media_hosts: &'p [String],
}

/// Returns the object of all outputs, or the reply's JSON if none is declared, which is moved out of the body. The
/// media of media outputs are listed beside it, with null in their places, and so are the copies of files that are to be
/// kept. `accept` is the kind of body that was requested.
pub(super) fn read_all(
    mappings: &[Mapping],
    accept: Option<&str>,
    (reply, links): (&HttpReply, &LinkContext<'_>),
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
        let mut value = mapping.read(reply, links.base_url, body).map_err(unreadable)?;
        if mapping.value_type.is_media() {
            mapping.take_media(&mut value, links.reply_url, &mut media).map_err(unreadable)?;
        } else if mapping.value_type == ValueType::String {
            mapping.add_copies(&value, links.media_hosts, &mut media);
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
        Body::Media(_) => Err(format!("the reply is {}, but the node declares no output for it", body.describe_kind())),
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
    let source = match output.mapping.trim() {
        "" => OutputSource::Path(JsonPath::from_key(&output.name)),
        "@body" => OutputSource::Body,
        "@status" => OutputSource::Status,
        mapping => match mapping.strip_prefix("@header.") {
            Some(name) => OutputSource::Header(name.to_owned()),
            None => match JsonPath::parse_query(mapping) {
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
    let (decode, mime) = (output.decode.as_deref().and_then(Decode::parse), output.mime.clone());
    let link = output.link.as_deref().map(|link| compile_link(link, &pointer_push(&pointer, "link"), found));
    let (value_type, link_lifetime_s) = (output.r#type, output.link_lifetime_s);
    Some(Mapping { name, value_type, default, source, pick, decode, link, link_lifetime_s, mime })
}

fn compile_link(source: &str, pointer: &str, found: &mut Vec<Diagnostic>) -> Text {
    let text = TemplateCompiler { roots: &[Root::Item], diagnostics: found }.compile_text(source, pointer);
    if text.secret_names().next().is_some() {
        let message = "a link cannot contain a secret: put it in a header or in `query`";
        found.push(Diagnostic::new_error(codes::NOT_SUPPORTED, pointer, message));
    }
    text
}

/// Returns the size of the first data URI or run of base64 over the limit, or of what was taken out of the reply, at
/// any depth.
fn inline_media(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) if text.starts_with('<') => Marker::parse(text).map(|marker| marker.size),
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
