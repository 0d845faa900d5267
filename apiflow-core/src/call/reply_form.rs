//! The form of a reply's body, as its head states it.

use super::retry_after::header_value;

/// The form of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReplyForm {
    /// JSON or other text, or binary data that is declared as such: its first bytes tell.
    Text,
    /// Probably binary data; JSON if it begins like an object or an array.
    Unknown,
    /// An image, audio, a video or another file.
    Bytes,
    /// A stream of server-sent events.
    Events,
    /// Parts of different types, separated by this boundary.
    Multipart(String),
    /// A ZIP archive.
    Zip,
}

impl ReplyForm {
    /// Reads the form from the headers of a reply.
    pub(crate) fn from_headers(headers: &[(String, String)]) -> Self {
        let Some(header) = header_value(headers, "content-type") else { return Self::Unknown };
        let mime = mime_of(header);
        let (group, kind) = mime.split_once('/').unwrap_or((&mime, ""));
        match (group, kind) {
            ("text", "event-stream") => Self::Events,
            ("application", "zip" | "x-zip-compressed") => Self::Zip,
            ("multipart", _) => boundary_of(header).map_or(Self::Unknown, Self::Multipart),
            ("image" | "audio" | "video" | "font" | "model", _) => Self::Bytes,
            ("application", "pdf" | "gzip" | "x-tar" | "ogg" | "mp4") => Self::Bytes,
            ("application", "octet-stream") | ("binary" | "", _) => Self::Unknown,
            (_, _) => Self::Text,
        }
    }
}

/// Returns the MIME type of a `content-type` header without its parameters, in lower case.
pub(crate) fn mime_of(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns the MIME type that a header states, unless it only says that the content is binary.
pub(crate) fn specific_mime(header: Option<&str>) -> Option<String> {
    header.map(mime_of).filter(|mime| mime.contains('/') && !mime.ends_with("/octet-stream"))
}

fn boundary_of(header: &str) -> Option<String> {
    let parameters = header.split(';').skip(1);
    let boundary = parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    // RFC 2046 §5.1.1.
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// Returns the file name of a `content-disposition` header, without folders.
pub(crate) fn file_name_of(header: &str) -> Option<String> {
    let parameters = header.split(';').skip(1);
    let name = parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("filename").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    plain_file_name(&name)
}

/// Returns the last segment of a path, if it is a usable file name.
pub(crate) fn plain_file_name(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let is_usable =
        !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && !name.contains(char::is_control);
    is_usable.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_the_form() {
        for (header, expected) in [
            (None, ReplyForm::Unknown),
            (Some("application/json; charset=utf-8"), ReplyForm::Text),
            (Some("text/plain"), ReplyForm::Text),
            (Some("application/vnd.api+json"), ReplyForm::Text),
            (Some("Image/PNG"), ReplyForm::Bytes),
            (Some("image/svg+xml"), ReplyForm::Bytes),
            (Some("application/octet-stream"), ReplyForm::Unknown),
            (Some("text/event-stream;charset=utf-8"), ReplyForm::Events),
            (Some("application/zip"), ReplyForm::Zip),
            (Some("multipart/mixed; boundary=\"a b\""), ReplyForm::Multipart("a b".to_owned())),
            (Some("multipart/mixed"), ReplyForm::Unknown),
        ] {
            let headers: Vec<_> =
                header.iter().map(|header| ("content-type".to_owned(), (*header).to_owned())).collect();
            assert_eq!(ReplyForm::from_headers(&headers), expected, "{header:?}");
        }
    }

    #[test]
    fn file_names_have_no_folders() {
        assert_eq!(file_name_of("attachment; filename=\"../../a.png\""), Some("a.png".to_owned()));
        assert_eq!(file_name_of("attachment; filename=a.png; size=1"), Some("a.png".to_owned()));
        assert_eq!(file_name_of("attachment; filename=\"..\""), None);
        assert_eq!(file_name_of("inline"), None);
        assert_eq!(plain_file_name("C:\\x\\b.mp3"), Some("b.mp3".to_owned()));
    }
}
