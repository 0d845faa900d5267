//! The first admin.

use apiflow_core::ports::Clock;
use apiflow_store::{Accounts, RecordError, UserRow};

use crate::http::local_url::is_local;
use crate::users::passwords::{MIN_ADMIN_PASSWORD_CHARS, Passwords};
use crate::users::tokens;
use crate::users::usernames::check_username;

/// The reason why there is no first admin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirstAdminError {
    /// A setting is invalid.
    #[error("{name}: {message}")]
    Setting {
        /// Name of the environment variable.
        name: &'static str,
        /// What is wrong, and how to fix it.
        message: String,
    },
    /// The database failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The password could not be hashed.
    #[error("the first admin's password could not be hashed")]
    Hash,
}

/// Creates the first admin if there are no users yet; returns a generated password, to be shown once.
pub async fn ensure_first_admin(
    accounts: &dyn Accounts,
    clock: &dyn Clock,
    login: &str,
    password: Option<&str>,
    public_url: &str,
) -> Result<Option<String>, FirstAdminError> {
    let given = password.filter(|password| !password.is_empty());
    if given == Some("admin") && !is_local(public_url) {
        let message = "`admin` is refused unless PUBLIC_API_URL is local; choose another password".to_owned();
        return Err(FirstAdminError::Setting { name: "ADMIN_PASSWORD", message });
    }
    if !accounts.list_users(None, 1).await?.is_empty() {
        return Ok(None);
    }
    let is_short = |password: &str| password.chars().count() < MIN_ADMIN_PASSWORD_CHARS;
    if given.is_some_and(is_short) && !is_local(public_url) {
        let message = format!(
            "it needs at least {MIN_ADMIN_PASSWORD_CHARS} characters unless PUBLIC_API_URL is local; choose a longer one"
        );
        return Err(FirstAdminError::Setting { name: "ADMIN_PASSWORD", message });
    }
    if check_username(login).is_err() {
        let message =
            format!("`{login}` is not a valid username: use 1 to 64 characters, without leading or trailing spaces");
        return Err(FirstAdminError::Setting { name: "ADMIN_LOGIN", message });
    }
    let made_up = given.is_none().then(tokens::generate_password);
    let password: String = made_up.clone().or_else(|| given.map(str::to_owned)).unwrap_or_default();
    let password_hash = Passwords::default().hash(password).await.map_err(|_| FirstAdminError::Hash)?;
    let user = UserRow {
        id: uuid::Uuid::now_v7().to_string(),
        username: login.to_owned(),
        email: None,
        is_admin: true,
        password_hash,
        created_at: clock.now(),
    };
    match accounts.add_user(user).await {
        Ok(()) => Ok(made_up),
        // Another process of the cluster created it first.
        Err(RecordError::Exists { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
