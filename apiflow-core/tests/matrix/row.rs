//! The form of a row, and the scripts made from it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// A way to answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// The provider that answers like this.
    pub(crate) name: String,
    /// Where the form is documented.
    #[expect(dead_code, reason = "for people who read the row")]
    source: String,
    /// Declaration of the connector; `{base}` is the address of the provider, `{other}` a second name of it.
    pub(crate) connector: Value,
    /// Declaration of the node.
    pub(crate) node: Value,
    /// Inputs of the node.
    pub(crate) input: Value,
    /// The route that starts the work: `POST /v1/images`.
    pub(crate) submit: String,
    /// What the submit must look like.
    #[serde(default)]
    pub(crate) expects: Expected,
    /// What the provider answers, by method and path with query.
    pub(crate) routes: Routes,
    /// The outputs at the end: for media `{"media": "png"}`, else the value.
    pub(crate) output: BTreeMap<String, Value>,
    /// How the work is cancelled; absent if the provider cannot.
    pub(crate) cancel: Option<Cancel>,
    /// Failures in the provider's own words.
    #[serde(default)]
    pub(crate) errors: Vec<ErrorCase>,
    /// A reply to the submit that means: later.
    pub(crate) rate_limit: Option<Reply>,
}

/// Replies by route, each list in order; the last one is repeated.
pub(crate) type Routes = BTreeMap<String, Vec<Reply>>;

/// What a request must contain.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    /// Values of headers, by name in lower case.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The JSON body.
    pub(crate) json: Option<Value>,
    /// Texts that occur in the body.
    #[serde(default)]
    pub(crate) contains: Vec<String>,
}

/// A scripted reply.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reply {
    /// HTTP status.
    #[serde(default = "ok")]
    pub(crate) status: u16,
    /// Headers.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// A JSON body.
    pub(crate) json: Option<Value>,
    /// A text body.
    pub(crate) text: Option<String>,
    /// A sample file as the body: `png`, `wav`, `mp3`, `mp4`.
    pub(crate) file: Option<String>,
    /// A header that the request must have (`name: value`); else the reply is 401.
    pub(crate) needs: Option<String>,
}

fn ok() -> u16 {
    200
}

/// How work is cancelled.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    /// The request that cancels.
    pub(crate) call: String,
    /// The reply to it.
    reply: Reply,
    /// The route that shows the state.
    pub(crate) running: String,
}

/// A failure.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorCase {
    /// The class that it has.
    pub(crate) class: String,
    /// A text in its message.
    pub(crate) message: Option<String>,
    /// The route that answers with it; by default the submit.
    route: Option<String>,
    reply: Reply,
}

impl Row {
    /// Returns the routes of work that does not end.
    pub(crate) fn routes_that_never_end(&self, cancel: &Cancel) -> Routes {
        let mut routes = self.routes.clone();
        if let Some(replies) = routes.get_mut(&cancel.running) {
            replies.truncate(1);
        }
        routes.insert(cancel.call.clone(), vec![cancel.reply.clone()]);
        routes
    }

    /// Returns the routes with one that fails.
    pub(crate) fn routes_with(&self, error: &ErrorCase) -> Routes {
        let mut routes = self.routes.clone();
        let route = error.route.clone().unwrap_or_else(|| self.submit.clone());
        routes.insert(route, vec![error.reply.clone()]);
        routes
    }

    /// Returns the routes with a refusal before the first reply to the submit.
    pub(crate) fn routes_after(&self, refusal: &Reply) -> Routes {
        let mut routes = self.routes.clone();
        routes.entry(self.submit.clone()).or_default().insert(0, refusal.clone());
        routes
    }
}

/// Reads all rows, in order of their file names.
pub(crate) fn read_rows() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix/rows");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the rows are there").flatten().map(|file| file.path()).collect();
    files.sort();
    let only = std::env::var("MATRIX_ROW").ok();
    files.retain(|file| only.as_ref().is_none_or(|only| file.to_string_lossy().contains(only.as_str())));
    assert!(!files.is_empty(), "there are rows");
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).expect("a row can be read");
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        })
        .collect()
}
