//! AWS Signature Version 4.
//!
//! Source: the AWS documentation, "Create a signed AWS API request"; its examples and test suite are the tests.

use std::time::{Duration, SystemTime};

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use ring::hmac;

use crate::digest::{format_hex, hash_text};
use crate::ports::{HttpError, Timestamp};
use crate::template::percent_encode;

/// The payload hash of bodies that are not hashed before they are sent; S3 accepts it.
pub(in crate::http) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The keys of one request. Not `Debug`, so that they cannot be printed.
pub(in crate::http) struct SigningKeys {
    pub(super) region: String,
    pub(super) service: String,
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) session_token: Option<String>,
}

impl SigningKeys {
    /// Returns whether the service accepts bodies that are not part of the signature.
    pub(in crate::http) fn allows_unsigned_payload(&self) -> bool {
        self.service == "s3"
    }

    /// Adds the headers that authenticate a request. `payload` is the SHA-256 of its body in hexadecimal digits, or
    /// [`UNSIGNED_PAYLOAD`].
    pub(in crate::http) fn sign(
        &self,
        method: &str,
        url: &Url,
        headers: &mut HeaderMap,
        payload: &str,
        now: SystemTime,
    ) -> Result<(), HttpError> {
        let time = format_time(now);
        insert(headers, "x-amz-date", &time)?;
        insert(headers, "x-amz-content-sha256", payload)?;
        if let Some(token) = &self.session_token {
            insert(headers, "x-amz-security-token", token)?;
        }
        let mut signed: Vec<(String, String)> = vec![("host".to_owned(), host_header(url))];
        for (name, value) in headers.iter() {
            let name = name.as_str();
            if name.starts_with("x-amz-") || name == "content-type" {
                signed.push((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
            }
        }
        let authorization = self.authorization(method, url, signed, payload, &time);
        insert(headers, "authorization", &authorization)
    }

    /// Returns the value of the header `Authorization`. `time` is `YYYYMMDDThhmmssZ`.
    fn authorization(
        &self,
        method: &str,
        url: &Url,
        mut signed: Vec<(String, String)>,
        payload: &str,
        time: &str,
    ) -> String {
        signed.sort();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: Vec<String> =
            signed.iter().map(|(name, value)| format!("{name}:{}\n", collapse_spaces(value))).collect();
        let lines = lines.concat();
        let canonical = format!(
            "{method}\n{}\n{}\n{lines}\n{names}\n{payload}",
            canonical_path(url.path(), self.service == "s3"),
            canonical_query(url.query().unwrap_or_default())
        );
        let day = &time[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash_text(&canonical));
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [day, &self.region, &self.service, "aws4_request", &to_sign] {
            key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        let signature = format_hex(&key);
        let access_key = &self.access_key;
        format!("AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}")
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), HttpError> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| HttpError::Secret(format!("the value of header `{name}` is not possible in a header")))?;
    value.set_sensitive(name != "x-amz-date" && name != "x-amz-content-sha256");
    headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

/// Returns the value of the header `Host`.
fn host_header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns the path as it is signed: S3 takes it as it is sent, the other services encode it once more.
fn canonical_path(path: &str, is_s3: bool) -> String {
    let segments = path.split('/').map(|segment| {
        let decoded = percent_encoding::percent_decode_str(segment).collect::<Vec<u8>>();
        let once = percent_encode(&String::from_utf8_lossy(&decoded));
        if is_s3 { once } else { percent_encode(&once) }
    });
    let path = segments.collect::<Vec<_>>().join("/");
    if path.is_empty() { "/".to_owned() } else { path }
}

fn canonical_query(query: &str) -> String {
    let normalize = |text: &str| {
        let decoded = percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
        percent_encode(&String::from_utf8_lossy(&decoded))
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (normalize(name), normalize(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn collapse_spaces(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Formats a time as `YYYYMMDDThhmmssZ`.
fn format_time(now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let time = Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).to_rfc3339();
    // `2015-08-30T12:36:00.000Z`
    let digits: String = time.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{}Z", &digits[..15])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE_KEY: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    const S3_KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    const SUITE_TIME: &str = "20150830T123600Z";
    const S3_TIME: &str = "20130524T000000Z";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn check(
        (access_key, secret_key): (&str, &str),
        service: &str,
        (method, url): (&str, &str),
        headers: &[(&str, &str)],
        payload: &str,
        signature: &str,
    ) {
        let keys = SigningKeys {
            region: "us-east-1".to_owned(),
            service: service.to_owned(),
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            session_token: None,
        };
        let url = Url::parse(url).expect("a test's URL is sound");
        let time = if service == "s3" { S3_TIME } else { SUITE_TIME };
        let mut signed = vec![("host".to_owned(), host_header(&url)), ("x-amz-date".to_owned(), time.to_owned())];
        signed.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let authorization = keys.authorization(method, &url, signed, payload, time);
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{method} {url}: {authorization}");
    }

    /// Source: the AWS Signature Version 4 test suite, and the example of the AWS General Reference (`iam`).
    #[test]
    fn the_test_suite_of_aws_is_signed_alike() {
        let suite = |target, headers: &[(&str, &str)], payload: &str, signature| {
            check(SUITE_KEY, "service", target, headers, payload, signature);
        };
        suite(
            ("GET", "https://example.amazonaws.com/"),
            &[],
            EMPTY,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        );
        suite(
            ("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1"),
            &[],
            EMPTY,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
        suite(
            ("POST", "https://example.amazonaws.com/"),
            &[],
            EMPTY,
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        );
        suite(
            ("POST", "https://example.amazonaws.com/"),
            &[("content-type", "application/x-www-form-urlencoded")],
            &hash_text("Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        );
        check(
            SUITE_KEY,
            "iam",
            ("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"),
            &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            EMPTY,
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        );
    }

    /// Source: the examples of "Authenticating Requests: Using the Authorization Header" in the S3 API Reference.
    #[test]
    fn the_examples_of_s3_are_signed_alike() {
        let s3 = |target, headers: &[(&str, &str)], payload: &str, signature| {
            let mut headers = headers.to_vec();
            headers.push(("x-amz-content-sha256", payload));
            check(S3_KEY, "s3", target, &headers, payload, signature);
        };
        s3(
            ("GET", "https://examplebucket.s3.amazonaws.com/test.txt"),
            &[("range", "bytes=0-9")],
            EMPTY,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
        s3(
            ("PUT", "https://examplebucket.s3.amazonaws.com/test%24file.text"),
            &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            &hash_text("Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        s3(
            ("GET", "https://examplebucket.s3.amazonaws.com/?lifecycle"),
            &[],
            EMPTY,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        );
        s3(
            ("GET", "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J"),
            &[],
            EMPTY,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        );
    }

    #[test]
    fn paths_and_times_have_their_canonical_form() {
        for (path, of_s3, of_others) in [
            ("/", "/", "/"),
            ("/a%20b/c:d", "/a%20b/c%3Ad", "/a%2520b/c%253Ad"),
            ("/%E1%88%B4", "/%E1%88%B4", "/%25E1%2588%25B4"),
        ] {
            assert_eq!((canonical_path(path, true).as_str(), canonical_path(path, false).as_str()), (of_s3, of_others));
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_440_938_160_999);
        assert_eq!(format_time(time), "20150830T123600Z");
    }
}
