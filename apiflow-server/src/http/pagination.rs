//! Pages of lists.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::Page;
use crate::http::problem::Problem;
use crate::http::problem_codes;

const DEFAULT_PAGE_SIZE: u32 = 50;
const MAX_PAGE_SIZE: u32 = 500;

/// The part of a list to return.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Number of items, from 1 to 500 (default: 50).
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the previous page.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// Returns the number of items.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        match self.limit {
            None => Ok(DEFAULT_PAGE_SIZE),
            Some(limit @ 1..=MAX_PAGE_SIZE) => Ok(limit),
            Some(limit) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                problem_codes::MALFORMED,
                format!("limit is {limit}; it must be from 1 to {MAX_PAGE_SIZE}"),
            )),
        }
    }

    /// Returns the key of the last item of the previous page.
    pub(crate) fn after_key(&self) -> Result<Option<String>, Problem> {
        let Some(cursor) = self.cursor.as_deref() else { return Ok(None) };
        URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|key| !key.chars().any(char::is_control))
            .map(Some)
            .ok_or_else(|| Problem::malformed("invalid cursor: pass the `next` of the previous page"))
    }
}

/// Builds a page of up to `limit` of the items, which include one more than `limit` if there are further ones.
pub(crate) fn build_page<T, U>(
    mut items: Vec<T>,
    limit: u32,
    key: impl Fn(&T) -> String,
    show: impl FnMut(T) -> U,
) -> Page<U> {
    let next = cut_to_limit(&mut items, limit, key);
    Page { items: items.into_iter().map(show).collect(), next }
}

/// Truncates items to `limit` and returns the cursor of the rest, if any.
pub(crate) fn cut_to_limit<T>(items: &mut Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Option<String> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    more.then(|| items.last().map(|last| URL_SAFE_NO_PAD.encode(key(last)))).flatten()
}
