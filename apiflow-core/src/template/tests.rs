mod expansion;
mod properties;
mod secrets;

use serde_json::{Map, Value};

use super::{
    DraftBody, DraftRequest, Expanded, Piece, Root, Template, TemplateCompiler, TemplateScope, Text, join_pieces,
};
use crate::ports::HttpRequest;

/// Compiles a valid template.
fn compile(source: &Value) -> Template {
    let mut found = Vec::new();
    let template = TemplateCompiler { roots: &Root::ALL, diagnostics: &mut found }.compile_value(source, "");
    assert_eq!(found, [], "{source}");
    template
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// Returns the scope of the second attempt at step `s` of job `j`.
fn scope(input: &Value) -> TemplateScope<'static> {
    TemplateScope::for_submit(&object(input), "j", "s", 2)
}

/// Formats an expanded template, with secrets as `<NAME>`.
fn shown(expanded: &Expanded) -> Option<Value> {
    expanded.to_value(&mut |name| format!("<{name}>"))
}

/// Builds a request with one query parameter, one header and a JSON body, all templates over the same inputs.
fn request(query: &str, header: &str, body: &Value, input: &Value) -> HttpRequest {
    let pieces = |source: &str| {
        let text = Text::parse(source).expect("the template is sound");
        text.expand_text(&scope(input)).into_pieces().expect("it is text").unwrap_or_default()
    };
    let mut url = vec![Piece::Text("https://h/x?".to_owned())];
    url.extend(super::encode_pair("q", &pieces(query)));
    let draft = DraftRequest {
        method: "POST".to_owned(),
        url,
        headers: vec![("X-H".to_owned(), pieces(header))],
        body: DraftBody::Json(compile(body).expand_value(&scope(input))),
        masked_secrets: Vec::new(),
        credential_origins: Vec::new(),
        timeout: std::time::Duration::from_secs(1),
    };
    draft.seal_request()
}

/// Expands a path, with secrets as `<NAME>`.
fn path(source: &str, input: &Value) -> Result<String, String> {
    let text = Text::parse(source).expect("the template is sound");
    let pieces = text.expand_path(&scope(input))?;
    Ok(join_pieces(&pieces, &mut |name| format!("<{name}>")))
}
