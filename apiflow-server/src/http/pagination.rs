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

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many, from 1 to 500 (default 50).
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// How many are wanted.
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

    /// The key of the last item of the page before.
    pub(crate) fn after_key(&self) -> Result<Option<String>, Problem> {
        let Some(cursor) = self.cursor.as_deref() else { return Ok(None) };
        URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|key| !key.chars().any(char::is_control))
            .map(Some)
            .ok_or_else(|| Problem::malformed("invalid cursor: pass the `next` of the page before"))
    }
}

/// Makes a page of up to `limit` of the items, of which one more was asked for.
pub(crate) fn build_page<T, U>(
    mut items: Vec<T>,
    limit: u32,
    key: impl Fn(&T) -> String,
    show: impl FnMut(T) -> U,
) -> Page<U> {
    let next = cut_to_limit(&mut items, limit, key);
    Page { items: items.into_iter().map(show).collect(), next }
}

/// Cuts items to `limit` and gives the cursor of the rest, if there is one.
pub(crate) fn cut_to_limit<T>(items: &mut Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Option<String> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    more.then(|| items.last().map(|last| URL_SAFE_NO_PAD.encode(key(last)))).flatten()
}
