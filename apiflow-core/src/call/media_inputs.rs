//! Files in the inputs of a call: recognizes them, and decides how each is sent.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Map, Value, json};

use super::known_artifacts::KnownArtifacts;
use super::plan::{BodyKind, CallPlan};
use super::{CallError, ErrorClass};
use crate::artifact::artifact_id_of;
use crate::declarations::NodeInput;
use crate::ports::{HttpRequest, MediaForm, MediaUse, PartContent, RequestBody, SecretPlace, SentArtifact, SentMedia};
use crate::template::derive_word;
use crate::value_type::ValueType;

/// Default size of the largest file that is sent as a data URI, in bytes.
pub(super) const DEFAULT_MAX_DATA_URI_BYTES: u64 = 8 * 1024 * 1024;
/// The same if the connector has an upload rule, which larger files then use, in bytes: Replicate advises it.
const DEFAULT_MAX_DATA_URI_BESIDE_UPLOAD_BYTES: u64 = 256 * 1024;
/// Maximum number of files in the inputs of one call.
pub(crate) const MAX_CALL_FILES: usize = 100;

/// How a media input is declared to be sent (`as`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SentAs {
    Url,
    DataUri,
    Base64,
    Multipart,
    Upload,
}

impl SentAs {
    /// The names in declarations.
    const NAMES: [(&str, Self); 5] = [
        ("url", Self::Url),
        ("data_uri", Self::DataUri),
        ("base64", Self::Base64),
        ("multipart", Self::Multipart),
        ("upload", Self::Upload),
    ];

    pub(super) fn of_input(input: &NodeInput) -> Option<Self> {
        let word = input.r#as.as_deref()?;
        Self::NAMES.iter().find(|(name, _)| *name == word).map(|(_, sent_as)| *sent_as)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// The files in the inputs of one call. In the arguments each is replaced by a marker.
#[derive(Debug, Default)]
pub(super) struct MediaInputs {
    tokens: Vec<MediaToken>,
    /// The arguments with files as objects, for placeholders such as `{{ input.image.mime }}`.
    pub(super) files: Option<Value>,
}

/// A file and the marker that stands for it.
#[derive(Debug)]
struct MediaToken {
    marker: String,
    media: SentMedia,
    public_url: Option<String>,
    /// How it is sent; `None` if the call decides.
    sent_as: Option<SentAs>,
    /// Whether it may become a part of a multipart body, or a raw body.
    may_be_file: bool,
    /// Name of the input.
    input: String,
}

impl MediaInputs {
    /// Finds the files in the arguments; returns the arguments with markers in their places.
    ///
    /// # Errors
    /// [`ErrorClass::InvalidInput`], naming the input, if a file cannot be sent as the input declares.
    pub(super) fn find<'a>(
        plan: &CallPlan,
        arguments: &'a Map<String, Value>,
        artifacts: &KnownArtifacts,
    ) -> Result<(Self, Cow<'a, Map<String, Value>>), CallError> {
        let has_media_input =
            plan.inputs.iter().any(|input| is_media_input(input) && arguments.contains_key(&input.name));
        if artifacts.is_empty() && !has_media_input {
            return Ok((Self::default(), Cow::Borrowed(arguments)));
        }
        let mut finder = MediaFinder { prefix: unused_prefix(arguments), artifacts, plan, tokens: Vec::new() };
        let mut marked = Map::new();
        let mut files = Map::new();
        for (name, value) in arguments {
            let input = plan.inputs.iter().find(|input| input.name == *name);
            let rule = InputRule::new(name, input);
            marked.insert(name.clone(), finder.mark(value, &rule)?);
            if let Some(file) = finder.describe(value, &rule) {
                files.insert(name.clone(), file);
            }
        }
        let tokens = finder.tokens;
        if tokens.len() > 4 * MAX_CALL_FILES {
            let message = format!("the inputs contain more than {MAX_CALL_FILES} files");
            return Err(CallError::new(ErrorClass::InvalidInput, message));
        }
        let files = (!files.is_empty()).then_some(Value::Object(files));
        Ok((Self { tokens, files }, Cow::Owned(marked)))
    }

    /// Returns the file that a text as a whole stands for, if it may become a part of a body, or the whole body.
    pub(super) fn file_of_text(&self, text: &Value) -> Option<&SentMedia> {
        let text = text.as_str()?;
        let is_file = |token: &&MediaToken| {
            token.marker == text && token.may_be_file && matches!(token.sent_as, None | Some(SentAs::Multipart))
        };
        self.tokens.iter().find(is_file).map(|token| &token.media)
    }

    /// Adds the files that the text of a request refers to.
    ///
    /// # Errors
    /// [`ErrorClass::InvalidInput`] if a file cannot be sent where it stands.
    pub(super) fn attach_to(&self, request: &mut HttpRequest, plan: &CallPlan) -> Result<(), CallError> {
        for token in &self.tokens {
            let marker = token.marker.as_str();
            let in_url = request.url.contains(marker);
            let in_headers = request.headers.iter().any(|(_, value)| value.contains(marker));
            let in_body = match &request.body {
                RequestBody::None | RequestBody::Media(_) => false,
                RequestBody::Text(text) => text.contains(marker),
                RequestBody::Multipart { parts, .. } => parts.iter().any(|part| match &part.content {
                    PartContent::Text(text) => text.contains(marker),
                    PartContent::Media(_) => false,
                }),
            };
            let of_body = match plan.kind {
                BodyKind::Json | BodyKind::None => SecretPlace::Json,
                BodyKind::Form => SecretPlace::Url,
                BodyKind::Multipart | BodyKind::Raw => SecretPlace::Raw,
            };
            // A file has one form per place: the body's form is left out where it equals that of the URL.
            let mut places = Vec::new();
            places.extend(in_url.then_some((SecretPlace::Url, true)));
            places.extend(in_headers.then_some((SecretPlace::Header, true)));
            places.extend((in_body && !(in_url && of_body == SecretPlace::Url)).then_some((of_body, false)));
            for (place, in_head) in places {
                let form = token.form(plan, in_head)?;
                let media = token.media.clone();
                request.media.push(MediaUse { marker: token.marker.clone(), media, form, place });
            }
        }
        Ok(())
    }
}

/// How files in one input are sent.
struct InputRule<'a> {
    name: &'a str,
    sent_as: Option<SentAs>,
    /// Whether strings in it are links, data URIs or base64.
    is_media: bool,
    may_be_file: bool,
    accept: &'a [String],
}

impl<'a> InputRule<'a> {
    fn new(name: &'a str, input: Option<&'a NodeInput>) -> Self {
        Self {
            name,
            sent_as: input.and_then(SentAs::of_input),
            is_media: input.is_some_and(is_media_input),
            may_be_file: input.is_none_or(|input| input.r#type != ValueType::String),
            accept: input.and_then(|input| input.accept.as_deref()).unwrap_or_default(),
        }
    }

    fn fault(&self, message: &str) -> CallError {
        let fields = json!([{"field": format!("input.{}", self.name), "message": message}]);
        CallError::new(ErrorClass::InvalidInput, format!("input `{}`: {message}", self.name))
            .with_detail("fields", fields)
    }

    /// Checks that the provider accepts files of a type.
    fn check_accepted(&self, mime: &str) -> Result<(), CallError> {
        let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mime = essence(mime);
        let accepts = |pattern: &String| {
            let pattern = essence(pattern);
            let whole_family = pattern.strip_suffix("/*").is_some_and(|family| mime.split('/').next() == Some(family));
            pattern == "*/*" || pattern == mime || whole_family
        };
        if self.accept.is_empty() || self.accept.iter().any(accepts) {
            return Ok(());
        }
        Err(self.fault(&format!("the provider accepts {}, not {mime}", self.accept.join(", "))))
    }
}

struct MediaFinder<'a> {
    prefix: String,
    artifacts: &'a KnownArtifacts,
    plan: &'a CallPlan,
    tokens: Vec<MediaToken>,
}

impl MediaFinder<'_> {
    /// Returns a value with markers in the places of files.
    fn mark(&mut self, value: &Value, rule: &InputRule<'_>) -> Result<Value, CallError> {
        if let Some(known) = self.artifacts.find(value) {
            rule.check_accepted(&known.artifact.mime)?;
            let media = SentMedia::Artifact(SentArtifact::from(&known.artifact));
            let public_url = known.public_url.clone();
            return Ok(Value::String(self.add_token(media, public_url, rule.sent_as, rule)));
        }
        match value {
            Value::String(text) if rule.is_media => self.mark_text(text, rule),
            Value::Object(_) if rule.is_media && artifact_id_of(value).is_some() => {
                let id = artifact_id_of(value).unwrap_or_default();
                Err(rule.fault(&format!("artifact `{id}` {NOT_READABLE}")))
            }
            Value::Array(items) => items.iter().map(|item| self.mark(item, rule)).collect(),
            Value::Object(fields) => {
                let marked = fields.iter().map(|(key, item)| Ok((key.clone(), self.mark(item, rule)?)));
                Ok(Value::Object(marked.collect::<Result<_, CallError>>()?))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
        }
    }

    /// Returns what is sent for a link, a data URI or base64.
    fn mark_text(&mut self, text: &str, rule: &InputRule<'_>) -> Result<Value, CallError> {
        let as_it_is = Ok(Value::from(text));
        let becomes_file = rule.may_be_file && self.plan.kind != BodyKind::Json && self.plan.kind != BodyKind::Form;
        let sent_as = match rule.sent_as {
            None if becomes_file && is_data_uri(text) => SentAs::Multipart,
            None | Some(SentAs::Url) => {
                if let Some(mime) = data_uri_mime(text) {
                    rule.check_accepted(&mime)?;
                }
                return as_it_is;
            }
            Some(sent_as) => sent_as,
        };
        if !is_data_uri(text) {
            let is_link = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http")) && text.contains("://");
            return match sent_as {
                SentAs::Base64 if !is_link => as_it_is,
                SentAs::Url | SentAs::DataUri | SentAs::Base64 | SentAs::Multipart | SentAs::Upload => {
                    let given = if is_link { "a link" } else { "neither an artifact nor a data URI" };
                    let name = sent_as.name();
                    Err(rule.fault(&format!(
                        "it is sent as `{name}`, which needs the file itself, but it is {given}: store the file as an \
                         artifact (`POST /artifacts`) or pass a data URI"
                    )))
                }
            };
        }
        let (mime, base64) = read_data_uri(text)
            .ok_or_else(|| rule.fault("it is not a valid data URI: `data:<type>;base64,<content>`"))?;
        rule.check_accepted(&mime)?;
        if sent_as == SentAs::DataUri {
            return as_it_is;
        }
        let media = SentMedia::Inline { mime, base64 };
        Ok(Value::String(self.add_token(media, None, Some(sent_as), rule)))
    }

    /// Returns a value with files as objects; `None` if it contains no file.
    fn describe(&mut self, value: &Value, rule: &InputRule<'_>) -> Option<Value> {
        if let Some(known) = self.artifacts.find(value) {
            let known = known.clone();
            let media = SentMedia::Artifact(SentArtifact::from(&known.artifact));
            let mut shown = known.artifact.to_value();
            for sent_as in [SentAs::Url, SentAs::DataUri, SentAs::Base64] {
                let marker = self.add_token(media.clone(), known.public_url.clone(), Some(sent_as), rule);
                shown[sent_as.name()] = Value::String(marker);
            }
            return Some(shown);
        }
        match value {
            Value::String(text) if rule.is_media && is_data_uri(text) => {
                let (mime, base64) = read_data_uri(text)?;
                Some(json!({"mime": mime, "url": text, "data_uri": text, "base64": base64}))
            }
            Value::Array(items) => {
                let described: Vec<_> = items.iter().map(|item| self.describe(item, rule)).collect();
                let has_files = described.iter().any(Option::is_some);
                has_files.then(|| described.into_iter().map(Option::unwrap_or_default).collect())
            }
            Value::Object(fields) => {
                let described = fields.iter().filter_map(|(key, item)| Some((key.clone(), self.describe(item, rule)?)));
                let described: Map<_, _> = described.collect();
                (!described.is_empty()).then_some(Value::Object(described))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    fn add_token(
        &mut self,
        media: SentMedia,
        public_url: Option<String>,
        sent_as: Option<SentAs>,
        rule: &InputRule<'_>,
    ) -> String {
        let marker = format!("{}{:04}", self.prefix, self.tokens.len());
        let (may_be_file, input) = (rule.may_be_file, rule.name.to_owned());
        self.tokens.push(MediaToken { marker: marker.clone(), media, public_url, sent_as, may_be_file, input });
        marker
    }
}

impl MediaToken {
    /// Decides how the file is written into the text of a request.
    fn form(&self, plan: &CallPlan, in_head: bool) -> Result<MediaForm, CallError> {
        let public_url = self.public_url.clone();
        match self.sent_as {
            None if in_head => {
                let upload = plan.has_upload().then_some(MediaForm::Upload);
                public_url.map(MediaForm::Url).or(upload).ok_or_else(|| self.fault(UNREACHABLE))
            }
            Some(SentAs::DataUri | SentAs::Base64) if in_head => {
                Err(self.fault("its content cannot be written into a URL or a header: declare `as: url`"))
            }
            None => match public_url {
                Some(url) => Ok(MediaForm::Url(url)),
                None if self.media.size_bytes() <= max_data_uri_bytes(plan) => Ok(MediaForm::DataUri),
                None if plan.has_upload() => Ok(MediaForm::Upload),
                None => Err(self.too_large(plan)),
            },
            Some(SentAs::Url) => public_url.map(MediaForm::Url).ok_or_else(|| self.fault(UNREACHABLE)),
            Some(SentAs::DataUri) => self.within_cap(plan, MediaForm::DataUri),
            Some(SentAs::Base64) => self.within_cap(plan, MediaForm::Base64),
            Some(SentAs::Upload) if plan.has_upload() => Ok(MediaForm::Upload),
            Some(SentAs::Upload) => Err(self.fault("it is sent as `upload`, but the connector has no `upload` rule")),
            Some(SentAs::Multipart) => Err(self.fault(
                "it is sent as `multipart`, but stands inside a text or an object: make it the whole value of a field \
                 of the body, with `body_kind` `multipart` or `raw`",
            )),
        }
    }

    fn within_cap(&self, plan: &CallPlan, form: MediaForm) -> Result<MediaForm, CallError> {
        let is_within = plan.max_data_uri_bytes.is_none_or(|limit| self.media.size_bytes() <= limit);
        if is_within { Ok(form) } else { Err(self.too_large(plan)) }
    }

    fn too_large(&self, plan: &CallPlan) -> CallError {
        let (size, limit) = (self.media.size_bytes(), max_data_uri_bytes(plan));
        self.fault(&format!(
            "the file has {size} bytes, more than the {limit} that {} may be sent inside a request: set PUBLIC_API_URL to \
             an address that the provider can reach, give the connector an `upload` rule, or raise `max_data_uri_bytes`",
            plan.provider
        ))
    }

    fn fault(&self, message: &str) -> CallError {
        InputRule::new(&self.input, None).fault(message)
    }
}

/// What is said of an artifact that a job cannot send.
pub(crate) const NOT_READABLE: &str = "does not exist, or is another user's: it may have been deleted; upload the file again \
                                       (`POST /artifacts`)";

const UNREACHABLE: &str = "it is sent as a link, but this host cannot be reached by providers: set PUBLIC_API_URL to an \
                           address that the provider can reach, or declare another `as`";

/// Returns whether strings in an input are media.
fn is_media_input(input: &NodeInput) -> bool {
    let of_items = || {
        let items = input.items.as_ref()?.get("type")?;
        serde_json::from_value::<ValueType>(items.clone()).ok()
    };
    input.r#as.is_some() || input.r#type.is_media() || of_items().is_some_and(ValueType::is_media)
}

/// Returns the size of the largest file that is sent inside a request unless the input asks for it, in bytes.
fn max_data_uri_bytes(plan: &CallPlan) -> u64 {
    plan.max_data_uri_bytes.unwrap_or(if plan.has_upload() {
        DEFAULT_MAX_DATA_URI_BESIDE_UPLOAD_BYTES
    } else {
        DEFAULT_MAX_DATA_URI_BYTES
    })
}

/// Returns the beginning of markers; it occurs nowhere in the arguments.
fn unused_prefix(arguments: &Map<String, Value>) -> String {
    let text = Value::Object(arguments.clone()).to_string();
    let prefixes = (0_u32..).map(|salt| derive_word("apiflowmedia", &[&text, &salt.to_string()]));
    let mut unused = prefixes.filter(|prefix| !text.contains(prefix.as_str()));
    unused.next().expect("a text of bounded length cannot contain every prefix")
}

fn is_data_uri(text: &str) -> bool {
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"))
}

fn data_uri_mime(text: &str) -> Option<String> {
    let (head, _) = is_data_uri(text).then_some(()).and_then(|()| text[5..].split_once(','))?;
    let mime = head.split(';').next().unwrap_or_default().trim();
    Some(if mime.is_empty() { "text/plain".to_owned() } else { mime.to_ascii_lowercase() })
}

/// Parses a data URI: its MIME type, and its content in standard base64 with padding.
fn read_data_uri(text: &str) -> Option<(String, String)> {
    let mime = data_uri_mime(text)?;
    let (head, content) = text.split_once(',')?;
    let is_base64 = head.rsplit(';').next().is_some_and(|word| word.trim().eq_ignore_ascii_case("base64"));
    let bytes = if is_base64 {
        let content: String = content.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        STANDARD_NO_PAD.decode(content.trim_end_matches('=')).ok()?
    } else {
        percent_encoding::percent_decode_str(content).collect()
    };
    Some((mime, STANDARD.encode(bytes)))
}
