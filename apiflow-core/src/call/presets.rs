//! Ready-made rules for providers, as data.

use serde_json::{Map, Value};

/// A ready-made rule for `operation`.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// The name that `operation` gives.
    pub name: &'static str,
    /// The rule, as a declaration would spell it out; its `description` says what it is for.
    pub rule: Map<String, Value>,
}

const FILES: [(&str, &str); 2] =
    [("fal", include_str!("presets/fal.json")), ("replicate", include_str!("presets/replicate.json"))];

/// The ready-made rules, by name in order.
pub fn presets() -> Vec<Preset> {
    FILES.iter().map(|(name, text)| Preset { name, rule: parse(text) }).collect()
}

pub(super) fn find(name: &str) -> Option<Map<String, Value>> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| parse(text))
}

pub(super) fn names() -> Vec<&'static str> {
    FILES.iter().map(|(name, _)| *name).collect()
}

fn parse(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("the presets are part of the program and well-formed")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::presets;
    use crate::call::operation_rule;

    #[test]
    fn every_preset_is_a_sound_rule() {
        for preset in presets() {
            let mut found = Vec::new();
            let rule = operation_rule::read(&Value::Object(preset.rule), "", &mut found);
            assert_eq!(found, [], "{}", preset.name);
            assert!(rule.is_some(), "{}", preset.name);
        }
    }
}
