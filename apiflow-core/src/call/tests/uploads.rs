//! Uploads of files before a call.

use serde_json::{Value, json};

use super::{CONTEXT, declared, object, planned, reply};
use crate::call::{CallContext, CallPlan, KnownArtifacts, check_connector};
use crate::catalog::parse_connector;
use crate::ports::{HttpRequest, MediaForm, PartContent, RequestBody, SentMedia, Timestamp};
use crate::template::display_request;

/// Compiles a node with one image, which is uploaded by this rule of its connector.
fn plan(base_url: &str, upload: &Value) -> CallPlan {
    let hosts = json!([{"host": "rest.fal.ai", "credentials": true}]);
    let connector = json!({
        "id": "c", "name": "Acme", "base_url": base_url, "header": {"Authorization": "Key $KEY"},
        "data": {"upload": upload, "hosts": hosts},
    });
    let input = json!([{"name": "image", "type": "image", "as": "upload"}]);
    planned(
        &connector,
        &json!({"id": "n", "name": "N", "connector_id": "c", "input": input, "data": {"path": "/draw"}}),
    )
}

/// Builds the submit of a GIF that the caller gave as a data URI; returns the file with it.
fn submit(plan: &CallPlan) -> (HttpRequest, SentMedia) {
    let artifacts = KnownArtifacts::NONE;
    let given = object(&json!({"image": "data:image/gif;base64,R0lG"}));
    let request = plan.submit_request(&given, &CallContext { artifacts: &artifacts, ..CONTEXT }).expect("it is built");
    let [used] = &request.media[..] else { panic!("{:?}", request.media) };
    assert_eq!(used.form, MediaForm::Upload);
    let media = used.media.clone();
    (request, media)
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

#[test]
fn fal_returns_where_to_put_the_bytes() {
    let plan = plan("https://queue.fal.run", &json!("fal"));
    let (_, media) = submit(&plan);
    let start = plan.upload_start_request(&media).expect("there are two calls").expect("the host is listed");
    let shown = display_request(&start);
    assert_eq!(shown["url"], "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3");
    assert_eq!(shown["headers"]["Authorization"], "Key $KEY");
    assert_eq!(shown["body"], json!({"content_type": "image/gif", "file_name": "file.gif"}));
    let link = "https://v3.fal.media/files/1.gif";
    let started = reply(200, &json!({"upload_url": format!("{link}?signature=s"), "file_url": link}));
    let send = plan.upload_send_request(&media, Some(&started)).expect("the reply has a link");
    assert_eq!((send.method.as_str(), send.url.as_str()), ("PUT", "https://v3.fal.media/files/1.gif?signature=s"));
    assert_eq!((header(&send, "authorization"), header(&send, "content-type")), (None, Some("image/gif")));
    assert_eq!(send.body, RequestBody::Media(media));
    let uploaded = plan.read_upload(Some(&started), &reply(200, &json!({})), Timestamp(5)).expect("it has a link");
    assert_eq!((uploaded.value.as_str(), uploaded.expires_at), (link, Timestamp(3_600_005)));
}

#[test]
fn runway_returns_fields_that_come_before_the_file() {
    let plan = plan("https://api.dev.runwayml.com", &json!("runway"));
    let (_, media) = submit(&plan);
    let start = plan.upload_start_request(&media).expect("there are two calls").expect("it is the connector's host");
    assert_eq!(start.url, "https://api.dev.runwayml.com/v1/uploads");
    let fields = json!({"key": "k", "policy": "p"});
    let started =
        reply(200, &json!({"uploadUrl": "https://s3.example/b", "fields": fields, "runwayUri": "runway://1"}));
    let send = plan.upload_send_request(&media, Some(&started)).expect("the reply has a link");
    let RequestBody::Multipart { parts, .. } = &send.body else { panic!("{:?}", send.body) };
    let names: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.file_name.as_deref())).collect();
    assert_eq!(names, [("key", None), ("policy", None), ("file", Some("file.gif"))]);
    assert!(matches!(&parts[2].content, PartContent::Media(file) if *file == media));
    let uploaded = plan.read_upload(Some(&started), &reply(204, &Value::Null), Timestamp(0)).expect("it has a value");
    assert_eq!(uploaded.value, "runway://1");
}

#[test]
fn replicate_takes_the_file_in_one_call() {
    let plan = plan("https://api.replicate.com/v1", &json!("replicate"));
    let (_, media) = submit(&plan);
    assert!(plan.upload_start_request(&media).is_none());
    let send = plan.upload_send_request(&media, None).expect("its address is known");
    assert_eq!((send.method.as_str(), send.url.as_str()), ("POST", "https://api.replicate.com/v1/files"));
    assert_eq!(send.secrets.len(), 1, "it is the connector's own host");
    let stored = json!({"urls": {"get": "https://api.replicate.com/v1/files/1"}, "expires_at": "1970-01-02T00:00:00Z"});
    let uploaded = plan.read_upload(None, &reply(201, &stored), Timestamp(0)).expect("it has a link");
    assert_eq!(uploaded.value, "https://api.replicate.com/v1/files/1");
    assert_eq!(uploaded.expires_at, Timestamp(86_400_000));
    let too_long = json!({"urls": {"get": "x".repeat(16 * 1024 + 1)}});
    for unusable in [json!({}), too_long] {
        assert!(plan.read_upload(None, &reply(201, &unusable), Timestamp(0)).is_err());
    }
    assert!(plan.upload_refusal(&reply(413, &json!({"detail": "too large"}))).is_some());
}

#[test]
fn the_key_of_an_upload_depends_on_content_rule_and_account() {
    let (one, other) = (plan("https://h", &json!("replicate")), plan("https://h", &json!("runway")));
    let another_api = plan("https://h/v2", &json!("replicate"));
    let (_, media) = submit(&one);
    let key = one.upload_key(&media, "a");
    assert_eq!(key, one.upload_key(&media, "a"));
    let changed = SentMedia::Inline { mime: "image/gif".to_owned(), base64: "R0lH".to_owned() };
    for (plan, media, account) in
        [(&one, &media, "b"), (&other, &media, "a"), (&another_api, &media, "a"), (&one, &changed, "a")]
    {
        assert_ne!(key, plan.upload_key(media, account));
    }
}

#[test]
fn faults_of_an_upload_rule_are_reported() {
    for (upload, expected) in [
        (json!("nobody"), "unknown-preset"),
        (json!({"value": "url"}), "missing-field"),
        (json!({"send": {"url": "/files"}}), "missing-field"),
        (json!({"preset": "replicate", "start": {"url": "/x", "body": {"key": "$KEY"}}}), "not-supported"),
        (json!({"preset": "replicate", "start": {"url": "/{{ input.x }}"}}), "template-scope"),
    ] {
        let connector = json!({"id": "c", "name": "C", "base_url": "https://h/", "data": {"upload": upload}});
        let codes: Vec<String> = match parse_connector(&connector) {
            Ok(connector) => check_connector(&connector).into_iter().map(|found| found.code).collect(),
            Err(found) => found.into_iter().map(|found| found.code).collect(),
        };
        assert_eq!(codes, [expected], "{upload}");
    }
    let connector = json!({"id": "c", "name": "C", "base_url": "https://h/", "data": {"upload": "fal"}});
    let node = json!({"id": "n", "name": "N", "connector_id": "c"});
    assert!(crate::call::compile_call(&declared(&connector, &node).1, &declared(&connector, &node).0).is_ok());
}
