//! Checks inline code: its language, its syntax, and the parameters of its `main`.

use super::checker::Checker;
use crate::code::{self, LANGUAGES};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::fixes;
use crate::diagnostic::{codes, suggest};
use crate::openflow::{Place, RawScript};

impl<'a> Checker<'a> {
    /// Checks inline code; returns the parameters of its `main`, if they are known.
    pub(super) fn check_code(&mut self, script: &'a RawScript, place: &Place<'_>) {
        let language = script.language.as_str();
        if !LANGUAGES.contains(&language) {
            let at = place.key("language");
            let message = format!("inline code in `{language}` is not supported");
            let found = Diagnostic::new_error(codes::UNSUPPORTED_LANGUAGE, at.pointer(), message);
            let known = suggest::list_names(LANGUAGES);
            return self.push(match suggest::nearest_name(language, LANGUAGES) {
                Some(near) => fixes::with_replacement(found.with_help(suggest::did_you_mean(near)), near.into()),
                None => found.with_help(format!("write the code in JavaScript ({known}), or run it through a node")),
            });
        }
        let code = match code::read(&script.content) {
            Ok(code) => code,
            Err(fault) => {
                let pointer = place.key("content").pointer();
                let mut found = Diagnostic::new_error(codes::INLINE_CODE, pointer, fault.message);
                found.span = fault.span;
                return self.push(found);
            }
        };
        let parameters = code.parameters;
        let given = &script.input_transforms;
        for parameter in
            parameters.iter().filter(|parameter| !parameter.optional && !given.contains_key(&parameter.name))
        {
            let message = format!("`main` has the parameter `{}`, but the step passes no such input", parameter.name);
            let found = Diagnostic::new_warning(codes::MISSING_INPUT, place.pointer(), message);
            self.push(found.with_help("add the input to `input_transforms`, or set a default value for the parameter"));
        }
        let taken: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        for name in given.keys().filter(|name| !taken.contains(&name.as_str())) {
            let message = format!("`main` has no parameter `{name}`");
            let free = taken.iter().copied().filter(|known| !given.contains_key(*known));
            let near = suggest::nearest_name(name, free);
            let help = match near {
                Some(near) => suggest::did_you_mean(near),
                None if taken.is_empty() => "it takes nothing".to_owned(),
                None => format!("its parameters are {}", suggest::list_names(taken.iter().copied())),
            };
            self.report_unused_input(
                name,
                near,
                Diagnostic::new_warning(codes::UNKNOWN_INPUT, "", message).with_help(help),
                place,
            );
        }
    }
}
