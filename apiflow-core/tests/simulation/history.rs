//! What a random world went through, told to a person.

use std::fmt::Write;

use apiflow_core::ports::Timestamp;

/// A rule that was broken.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
}

impl Violation {
    pub(crate) fn new(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into() }
    }
}

/// Checks a rule.
pub(crate) fn ensure(holds: bool, rule: &'static str, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation::new(rule, detail())) }
}

/// The story of one world; nothing is kept unless somebody is to read it.
#[derive(Default)]
pub(crate) struct History {
    told: Option<String>,
}

impl History {
    pub(crate) fn kept() -> Self {
        Self { told: Some(String::new()) }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.told.is_some()
    }

    pub(crate) fn tell(&mut self, now: Timestamp, line: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            writeln!(told, "{:>9.1} s  {}", now.0 as f64 / 1000.0, line()).expect("text can always be written");
        }
    }

    pub(crate) fn text(self) -> String {
        self.told.unwrap_or_default()
    }
}
