//! Checks of documents, away from the threads that answer requests.

use std::sync::Arc;

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::validate;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Checks that run at the same time; others wait for their turn.
const AT_ONCE: usize = 2;

/// Checks documents, few at a time.
///
/// Architecture invariant: a check is CPU work of whoever sent the document, and never runs on a thread that answers
/// requests. A caller that goes away while it waits gives its turn up.
#[derive(Debug, Clone)]
pub(crate) struct Validation(Arc<Semaphore>);

/// What was checked, and what was found.
pub(crate) struct Checked {
    pub(crate) document: Value,
    pub(crate) catalog: Catalog,
    pub(crate) found: Vec<Diagnostic>,
}

impl Default for Validation {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Validation {
    /// Finds what is wrong with a workflow.
    pub(crate) async fn check(&self, document: Value, catalog: Catalog) -> Result<Checked, Problem> {
        let turn = Arc::clone(&self.0).acquire_owned().await.map_err(Problem::internal)?;
        let check = move || {
            let _turn = turn;
            let found = validate::workflow(&document, &catalog);
            Checked { document, catalog, found }
        };
        tokio::task::spawn_blocking(check).await.map_err(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({"summary": "s", "value": {"modules": []}})
    }

    #[tokio::test]
    async fn who_goes_away_gives_the_turn_up() {
        let validation = Validation::default();
        let turns = Arc::clone(&validation.0).acquire_many_owned(AT_ONCE as u32).await.expect("it is never closed");
        let waits = validation.check(document(), Catalog::default());
        assert!(tokio::time::timeout(Duration::ZERO, waits).await.is_err(), "all turns are taken");
        drop(turns);
        let checked = validation.check(document(), Catalog::default()).await.expect("there is a turn");
        assert_eq!((checked.document, checked.found.len()), (document(), 0));
        assert_eq!(validation.0.available_permits(), AT_ONCE);
    }
}
