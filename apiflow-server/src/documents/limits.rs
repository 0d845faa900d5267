//! Limits on the size of documents.

use std::io::{self, Write};

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::api::Fault;
use crate::http::problem::Problem;
use crate::http::problem_codes;

/// Maximum number of days after which jobs or artifacts are deleted; without a limit they are kept.
pub(crate) const MAX_RETENTION_DAYS: u64 = 36_500;

/// Limits on the size of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Maximum size of its JSON, in bytes.
    pub max_bytes: usize,
    /// Maximum number of modules of a workflow, including those inside loops and branches.
    pub max_modules: usize,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self { max_bytes: 2 * 1024 * 1024, max_modules: 5_000 }
    }
}

impl DocumentLimits {
    /// Checks the size of a document of any kind.
    ///
    /// # Errors
    /// 413 if the document is too large.
    pub(crate) fn check_bytes(self, document: &impl Serialize) -> Result<(), Problem> {
        let mut room = Room { left: self.max_bytes };
        if serde_json::to_writer(&mut room, document).is_ok() {
            return Ok(());
        }
        let max = self.max_bytes;
        let message = format!("the document is larger than {max} bytes of JSON (APIFLOW_MAX_DOCUMENT): split it");
        Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, problem_codes::DOCUMENT_TOO_LARGE, message))
    }

    /// Checks the size of an OpenFlow document at a pointer of a request.
    ///
    /// # Errors
    /// 413 if it has too many bytes, 422 if it has too many modules.
    pub(crate) fn check_workflow(self, document: &Value, pointer: &str) -> Result<(), Problem> {
        self.check_bytes(document)?;
        let modules = count_modules(document);
        if modules <= self.max_modules {
            return Ok(());
        }
        let max = self.max_modules;
        let message = format!(
            "the workflow has {modules} modules; the limit is {max} (APIFLOW_MAX_MODULES): move some into a sub-flow"
        );
        let fault = Fault {
            pointer: format!("{pointer}/value/modules"),
            message: message.clone(),
            code: Some("too_many_modules".to_owned()),
            help: None,
        };
        Err(Problem::invalid(message, vec![fault]))
    }
}

/// Accepts a limited number of bytes, then fails.
struct Room {
    left: usize,
}

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the number of modules of an OpenFlow document, at any depth.
fn count_modules(document: &Value) -> usize {
    let Some(value) = document.get("value") else { return 0 };
    let handlers = ["failure_module", "preprocessor_module"].into_iter().filter_map(|name| value.get(name));
    list(value.get("modules")) + handlers.map(count_nested_modules).sum::<usize>()
}

fn list(modules: Option<&Value>) -> usize {
    modules.and_then(Value::as_array).into_iter().flatten().map(count_nested_modules).sum()
}

fn count_nested_modules(module: &Value) -> usize {
    let Some(value) = module.get("value") else { return 1 };
    let lists = ["modules", "default", "tools"].into_iter().map(|name| list(value.get(name)));
    let branches = value.get("branches").and_then(Value::as_array).into_iter().flatten();
    1 + lists.sum::<usize>() + branches.map(|branch| list(branch.get("modules"))).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modules_are_counted_at_any_depth() {
        let step = json!({"id": "a", "value": {"type": "identity"}});
        let branch = json!({"value": {"branches": [{"modules": [step, step]}], "default": [step]}});
        let modules = json!([{"value": {"modules": [branch, null]}}, step]);
        assert_eq!(count_modules(&json!({"value": {"modules": modules, "failure_module": step}})), 8);
        assert_eq!(count_modules(&json!({"value": {"modules": "none"}})), 0);
    }

    #[test]
    fn a_document_is_refused_over_its_bytes_or_modules() {
        let document = json!({"value": {"modules": [{}, {}]}});
        let bytes = document.to_string().len();
        let check = |max_bytes: usize, max_modules: usize| {
            let limits = DocumentLimits { max_bytes, max_modules };
            limits.check_workflow(&document, "/nodes").map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(check(bytes, 2), Ok(()));
        assert_eq!(check(bytes - 1, 2), Err(413));
        assert_eq!(check(bytes, 1), Err(422));
    }
}
