//! Rules for usernames.

use crate::http::problem::Problem;

/// Suffix of names that were entered on an approval link. No username ends with it.
pub(crate) const UNVERIFIED_NAME_SUFFIX: &str = "(unverified)";

/// Validates the name of a user.
pub(crate) fn check_username(name: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    if length == 0 || length > 64 || name.trim() != name || name.chars().any(char::is_control) {
        return Err(Problem::single_fault(
            "/username",
            "the username must have 1 to 64 characters, no control characters and no leading or trailing spaces",
        ));
    }
    if name.ends_with(UNVERIFIED_NAME_SUFFIX) {
        let message = format!(
            "the username must not end in `{UNVERIFIED_NAME_SUFFIX}`, which marks names entered on an approval link"
        );
        return Err(Problem::single_fault("/username", message));
    }
    Ok(())
}
