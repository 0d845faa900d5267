//! When links that storage services sign expire.

use crate::ports::Timestamp;

/// Returns when a signed link expires, if its query says so.
///
/// Source: Signature Version 4 of S3 (`X-Amz-Date`, `X-Amz-Expires`) and of Google Cloud Storage (`X-Goog-…`); signed
/// links of CloudFront and Signature Version 2 (`Expires`, a Unix time); Azure's shared access signatures (`se`).
pub(crate) fn link_expires_at(link: &str) -> Option<Timestamp> {
    let (_, query) = link.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let find = |wanted: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.replace("%3A", ":").replace("%3a", ":"))
    };
    let signed_for = |service: &str| {
        let signed_at = parse_time(&find(&format!("X-{service}-Date"))?)?;
        let seconds: u32 = find(&format!("X-{service}-Expires"))?.parse().ok()?;
        Some(signed_at.plus_ms(u64::from(seconds) * 1000))
    };
    let unix_time = || {
        let seconds: i64 = find("Expires")?.parse().ok()?;
        // A number of seconds from now has no meaning in a link.
        (1_000_000_000..100_000_000_000).contains(&seconds).then(|| Timestamp(seconds * 1000))
    };
    let shared_access = || find("sig").and(parse_time(&find("se")?));
    signed_for("Amz").or_else(|| signed_for("Goog")).or_else(unix_time).or_else(shared_access)
}

/// Parses `20261129T002718Z`, or RFC 3339.
fn parse_time(text: &str) -> Option<Timestamp> {
    let is_basic = text.is_ascii() && text.len() == 16 && text.ends_with('Z') && !text.contains('-');
    if !is_basic {
        return Timestamp::from_rfc3339(text);
    }
    let part = |from: usize, to: usize| &text[from..to];
    let (date, time) =
        ([part(0, 4), part(4, 6), part(6, 8)].join("-"), [part(9, 11), part(11, 13), part(13, 15)].join(":"));
    Timestamp::from_rfc3339(&format!("{date}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_links_say_when_they_expire() {
        for (query, expected) in [
            (
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261129T002718Z&X-Amz-Expires=600",
                Some("2026-11-29T00:37:18Z"),
            ),
            ("x-goog-date=20261129T002718Z&x-goog-expires=1#part", Some("2026-11-29T00:27:19Z")),
            ("Expires=1795912038&Signature=x&Key-Pair-Id=y", Some("2026-11-29T00:27:18Z")),
            ("sp=r&se=2026-11-29T00%3A27%3A18Z&sv=2024-01-01&sig=x", Some("2026-11-29T00:27:18Z")),
            ("se=2026-11-29T00:27:18Z", None),
            ("Expires=600", None),
            ("X-Amz-Date=yesterday&X-Amz-Expires=600", None),
            ("X-Amz-Date=20261129T002718Z", None),
            ("", None),
        ] {
            let expected = expected.map(|text| Timestamp::from_rfc3339(text).expect("a time"));
            assert_eq!(link_expires_at(&format!("https://files.example.com/a.png?{query}")), expected, "{query}");
        }
        assert_eq!(link_expires_at("https://files.example.com/a.png"), None);
    }
}
