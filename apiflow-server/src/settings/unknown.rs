//! Environment variables that look like settings but are not.

use std::collections::BTreeSet;

use apiflow_core::diagnostic::nearest_name;
use apiflow_core::runtime::secrets::EnvSecrets;
use clap::Args as _;

use crate::settings::Settings;

/// Prefixes of names that only we use.
const PREFIX: &str = "APIFLOW_";

/// Other prefixes of our settings' names: only names similar to a setting are reported.
const SHARED_PREFIXES: [&str; 2] = ["ADMIN_", "PUBLIC_API_"];

/// Returns a warning for each variable that looks like a setting but is not: `APIFLOW_LISTN is not a setting; did you
/// mean …`.
///
/// Provider keys that the operator lists may have any name, and so may the variables that Kubernetes adds for a service
/// `apiflow`.
pub(crate) fn unknown_variables(present: impl IntoIterator<Item = String>, secrets: &EnvSecrets) -> Vec<String> {
    let known = setting_names();
    let listed: BTreeSet<&str> = secrets.listed_names().map(|(name, _)| name).collect();
    let names: BTreeSet<String> = present.into_iter().collect();
    let unknown = names.iter().filter(|name| !known.contains(*name) && !listed.contains(name.as_str()));
    unknown.filter_map(|name| unknown_variable_warning(name, &known)).collect()
}

/// Returns the environment variables that are settings.
fn setting_names() -> BTreeSet<String> {
    let command = Settings::augment_args(clap::Command::new("serve"));
    let names = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
    names.map(str::to_owned).collect()
}

fn unknown_variable_warning(name: &str, known: &BTreeSet<String>) -> Option<String> {
    let is_own = name.starts_with(PREFIX) && !is_service_link(name);
    let is_near = SHARED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if !is_own && !is_near {
        return None;
    }
    match nearest_name(name, known.iter().map(String::as_str)) {
        Some(meant) => Some(format!("the environment variable {name} is not a setting; did you mean {meant}?")),
        None if is_own => {
            Some(format!("the environment variable {name} is not a setting; `apiflow serve --help` lists them"))
        }
        None => None,
    }
}

/// Whether Kubernetes or Docker's links create such a variable for a service named `apiflow`.
fn is_service_link(name: &str) -> bool {
    name == "APIFLOW_PORT"
        || name.starts_with("APIFLOW_PORT_")
        || name == "APIFLOW_SERVICE_HOST"
        || name.starts_with("APIFLOW_SERVICE_PORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(present: &[&str], expected: &[&str]) {
        let secrets = EnvSecrets::from_list("APIFLOW_LISTENER_KEY", |_| None).expect("the list is well formed");
        let found = unknown_variables(present.iter().map(|name| (*name).to_owned()), &secrets);
        assert_eq!(found, expected);
    }

    #[test]
    fn only_what_is_mistyped_is_told() {
        check(&["APIFLOW_LISTEN", "DATABASE_URL", "PATH", "APIFLOW_LISTENER_KEY", "RUST_LOG"], &[]);
        check(&["APIFLOW_PORT", "APIFLOW_PORT_8000_TCP", "APIFLOW_SERVICE_HOST", "APIFLOW_SERVICE_PORT_HTTP"], &[]);
        check(&["ADMIN_EMAILS", "PUBLIC_API_VERSION"], &[]);
        check(
            &["APIFLOW_LISTN", "ADMIN_PASSWRD"],
            &[
                "the environment variable ADMIN_PASSWRD is not a setting; did you mean ADMIN_PASSWORD?",
                "the environment variable APIFLOW_LISTN is not a setting; did you mean APIFLOW_LISTEN?",
            ],
        );
        check(
            &["APIFLOW_COLOUR"],
            &["the environment variable APIFLOW_COLOUR is not a setting; `apiflow serve --help` lists them"],
        );
    }
}
