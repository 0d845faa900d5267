//! Presets of operations, as JSON files.

use serde_json::{Map, Value};

/// The presets by name, in order.
pub(super) const FILES: [(&str, &str); 9] = [
    ("bfl", include_str!("presets/bfl.json")),
    ("comfy", include_str!("presets/comfy.json")),
    ("fal", include_str!("presets/fal.json")),
    ("google_lro", include_str!("presets/google_lro.json")),
    ("luma", include_str!("presets/luma.json")),
    ("openai_video", include_str!("presets/openai_video.json")),
    ("replicate", include_str!("presets/replicate.json")),
    ("runway", include_str!("presets/runway.json")),
    ("stability_result", include_str!("presets/stability_result.json")),
];

/// Returns a preset as a declaration would spell it out; its `description` says which endpoints it fits.
pub(super) fn find_preset(name: &str, presets: &[(&str, &str)]) -> Option<Map<String, Value>> {
    presets.iter().find(|(known, _)| *known == name).map(|(_, text)| parse(text))
}

/// Returns the names of all presets, in order.
pub(super) fn preset_names(presets: &[(&'static str, &str)]) -> Vec<&'static str> {
    presets.iter().map(|(name, _)| *name).collect()
}

fn parse(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("the presets are part of the program and well-formed")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::call::operation_rule;

    #[test]
    fn every_preset_is_a_sound_rule() {
        for name in super::preset_names(&super::FILES) {
            let preset = super::find_preset(name, &super::FILES).expect("it is listed");
            let mut found = Vec::new();
            let rule = operation_rule::read(&Value::Object(preset), "", &mut found);
            assert_eq!(found, [], "{name}");
            assert!(rule.is_some(), "{name}");
        }
    }
}
