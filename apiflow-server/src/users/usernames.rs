//! Which names a user may have.

use crate::http::problem::Problem;

/// Marks a name that somebody typed on an approval link. No username ends with it.
pub(crate) const UNVERIFIED_NAME_SUFFIX: &str = "(unverified)";

/// Checks the name of a user.
pub(crate) fn check_username(name: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    if length == 0 || length > 64 || name.trim() != name || name.chars().any(char::is_control) {
        return Err(Problem::single_fault(
            "/username",
            "the username must have 1 to 64 characters, no control character and no space at its ends",
        ));
    }
    if name.ends_with(UNVERIFIED_NAME_SUFFIX) {
        let message = format!(
            "the username must not end in `{UNVERIFIED_NAME_SUFFIX}`, which marks names that were typed on a link"
        );
        return Err(Problem::single_fault("/username", message));
    }
    Ok(())
}
