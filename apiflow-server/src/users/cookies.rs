//! The session cookie of browsers.
//!
//! It is `SameSite=Strict`. In addition, a write needs `Sec-Fetch-Site: same-origin`, which no page of another origin can
//! send; a read with that header must come from this origin or from the user (an address typed in).

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::http::problem::Problem;

/// The cookie's name on http, where browsers refuse the prefix of [`SECURE_NAME`].
pub const NAME: &str = "apiflow_session";

/// The cookie's name on https. Browsers accept a cookie with this name only over https, from this very host and for all
/// its paths, so that no other host of the domain can plant one. Source: RFC 6265bis, "The `__Host-` prefix".
pub const SECURE_NAME: &str = "__Host-apiflow_session";

/// How long a session lasts, in days.
pub(crate) const MAX_SESSION_DAYS: u64 = 30;

type SetCookie = [(HeaderName, HeaderValue); 1];

/// Returns the header that sets the session cookie.
pub(crate) fn set(token: &str, public_url: &str) -> SetCookie {
    cookie_line(token, MAX_SESSION_DAYS * 86_400, public_url)
}

/// Returns the header that removes the session cookie.
pub(crate) fn clear_cookie(public_url: &str) -> SetCookie {
    cookie_line("", 0, public_url)
}

fn cookie_line(value: &str, max_age_s: u64, public_url: &str) -> SetCookie {
    let secure = if is_https(public_url) { "; Secure" } else { "" };
    let name = cookie_name(public_url);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}");
    [(header::SET_COOKIE, HeaderValue::from_str(&text).expect("tokens are ASCII without control characters"))]
}

fn is_https(public_url: &str) -> bool {
    public_url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

/// Returns the cookie's name on a server with this public URL.
fn cookie_name(public_url: &str) -> &'static str {
    if is_https(public_url) { SECURE_NAME } else { NAME }
}

/// Returns the token in the session cookie, if the request may use it.
pub(crate) fn session_token(method: &Method, headers: &HeaderMap, public_url: &str) -> Result<String, Problem> {
    let expected = cookie_name(public_url);
    let token = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == expected && !value.is_empty())
        .map(|(_, value)| value.to_owned())
        .ok_or_else(|| Problem::unauthenticated("log in at /api/v1/login and send `Authorization: Bearer <token>`"))?;
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let allowed = match site {
        Some(b"same-origin") => true,
        Some(b"none") | None => *method == Method::GET || *method == Method::HEAD,
        Some(_) => false,
    };
    if !allowed {
        return Err(Problem::forbidden(
            "the session cookie is for pages of this origin; send `Authorization: Bearer <token>`",
        ));
    }
    Ok(token)
}
