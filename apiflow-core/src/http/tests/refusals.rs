//! What the outgoing policy allows and refuses.

use super::*;

/// Names that resolve to forbidden addresses.
const NAMES: &[(&str, &str)] = &[
    ("inside.example", "10.0.0.5"),
    ("metadata.example", "169.254.169.254"),
    ("mapped.example", "::ffff:127.0.0.1"),
    ("nat64.example", "64:ff9b::7f00:1"),
    ("localhost", "127.0.0.1"),
    ("localhost", "::1"),
    ("stand-in.example", "127.0.0.1"),
];

async fn refused(url: &str, needle: &str) {
    let http = client("", NAMES, StaticSecrets::new());
    match send(&http, &request("POST", url)).await {
        Err(HttpError::Refused(reason)) => assert!(reason.contains(needle), "{url}: {reason}"),
        other => panic!("{url} was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_spelled() {
    for (url, needle) in [
        ("http://127.0.0.1/", "loopback"),
        ("https://127.0.0.1/", "loopback"),
        ("http://127.0.0.1:8000/", "`127.0.0.1:8000`"),
        ("http://127.1/", "loopback"),
        ("http://127.0.0.1./", "loopback"),
        ("http://2130706433/", "loopback"),
        ("http://0x7f000001/", "loopback"),
        ("http://0x7f.1/", "loopback"),
        ("http://0177.0.0.1/", "loopback"),
        ("http://017700000001/", "loopback"),
        ("http://%31%32%37.0.0.1/", "loopback"),
        ("http://１２７.０.０.１/", "loopback"),
        ("http://127。0。0。1/", "loopback"),
        ("http:\\\\127.0.0.1\\", "loopback"),
        ("http://0/", "unspecified"),
        ("http://0.0.0.0/", "unspecified"),
        ("http://10.1.2.3/", "private"),
        ("http://172.20.0.1/", "private"),
        ("http://192.168.0.1/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://2852039166/", "metadata"),
        ("http://100.100.100.200/", "carrier"),
        ("http://224.0.0.1/", "multicast"),
        ("http://255.255.255.255/", "broadcast"),
        ("http://[::1]/", "loopback"),
        ("http://[::]/", "unspecified"),
        ("http://[0:0:0:0:0:0:0:1]/", "loopback"),
        ("http://[::ffff:127.0.0.1]/", "loopback"),
        ("http://[::ffff:7f00:1]/", "loopback"),
        ("http://[::127.0.0.1]/", "reserved"),
        ("http://[64:ff9b::169.254.169.254]/", "metadata"),
        ("http://[2002:7f00:1::]/", "loopback"),
        ("http://[fd00:ec2::254]/", "private"),
        ("http://[fe80::1]/", "link-local"),
        ("http://[ff02::1]/", "multicast"),
    ] {
        refused(url, needle).await;
    }
}

/// Otherwise users who may name a host could map the server's network.
#[tokio::test]
async fn a_refused_name_does_not_tell_where_it_leads() {
    for (name, _) in NAMES {
        let http = client("", NAMES, StaticSecrets::new());
        let url = format!("http://{}./", name.to_uppercase());
        let Err(HttpError::Refused(reason)) = send(&http, &request("POST", &url)).await else {
            panic!("{name} was not refused")
        };
        assert!(reason.contains(&format!("`{name}:80` is not on the public internet")), "{reason}");
        for told in
            ["127.0.0.1", "10.0.0.5", "169.254", "64:ff9b", "7f00", "::1", "loopback", "private", "metadata address"]
        {
            assert!(!reason.contains(told), "{name}: {reason}");
        }
    }
}

#[tokio::test]
async fn only_plain_http_requests_are_sent() {
    for (url, needle) in [
        ("ftp://example.com/", "scheme `ftp`"),
        ("file:///etc/passwd", "scheme `file`"),
        ("data:text/plain,x", "scheme `data`"),
        ("http://user@example.com/", "user name"),
        ("http://user:word@example.com/", "user name"),
        ("http://:word@example.com/", "user name"),
        ("/v1/predictions", "not an absolute URL"),
        ("http://", "not an absolute URL"),
        ("http://1.2.3.4.5/", "not an absolute URL"),
    ] {
        refused(url, needle).await;
    }
    let http = client("", NAMES, StaticSecrets::new());
    for (method, header, needle) in [
        ("GE T", "x-a", "not an HTTP method"),
        ("CONNECT", "x-a", "method CONNECT is not allowed"),
        ("TRACE", "x-a", "method TRACE is not allowed"),
        ("GET", "Host", "`Host`"),
        ("GET", "a b", "not a header name"),
    ] {
        let mut wrong = request(method, "http://example.com/");
        wrong.headers.push((header.to_owned(), "x".to_owned()));
        match send(&http, &wrong).await {
            Err(HttpError::Refused(reason)) => assert!(reason.contains(needle), "{reason}"),
            other => panic!("{method} {header} was not refused: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_the_operator_lists_is_reached_and_nothing_beside_it() {
    let server = Server::start(|_| ok("hello")).await;
    let other = Server::start(|_| ok("private")).await;
    let port = server.port;
    for (allowed, host) in [
        (format!("127.0.0.1:{port}"), "127.0.0.1"),
        (format!("10.0.0.0/8, 127.0.0.1:{port}"), "2130706433"),
        (format!("stand-in.example:{port}"), "stand-in.example"),
        (format!("Stand-In.Example.:{port}"), "STAND-IN.example."),
        (format!("127.0.0.1:{port}"), "stand-in.example"),
        (format!("localhost:{port}"), "localhost"),
        ("127.0.0.0/8".to_owned(), "[::ffff:127.0.0.1]"),
    ] {
        let http = client(&allowed, NAMES, StaticSecrets::new());
        let reply = send(&http, &request("GET", &format!("http://{host}:{port}/"))).await;
        // The mapped address has its own socket family; if the listener does not support it, nothing is refused.
        match reply {
            Ok(reply) => assert_eq!((reply.status, reply.body), (200, b"hello".to_vec()), "{allowed}: {host}"),
            Err(HttpError::Connect(_)) if host.starts_with('[') => {}
            Err(error) => panic!("{allowed}: {host}: {error:?}"),
        }
        if allowed.contains(&format!(":{port}")) {
            let beside = send(&http, &request("GET", &format!("http://{host}:{}/", other.port))).await;
            assert!(matches!(beside, Err(HttpError::Refused(_))), "{allowed}: {host}: {beside:?}");
        }
    }
    assert_eq!(other.connections().await, 0);
}

#[tokio::test]
async fn a_redirect_is_checked_like_a_request() {
    for location in
        ["http://10.0.0.5/", "http://[::1]/", "ftp://example.com/", "//metadata.example/", "http://a:b@example.com/"]
    {
        let server = Server::start(move |_| redirect(302, location)).await;
        let http = client(&format!("127.0.0.1:{}", server.port), NAMES, StaticSecrets::new());
        let reply = send(&http, &request("GET", &server.url("/"))).await;
        assert!(matches!(reply, Err(HttpError::Refused(_))), "{location}: {reply:?}");
    }
}

#[tokio::test]
async fn redirects_are_followed_for_safe_methods_only_and_not_for_ever() {
    let server =
        Server::start(|request| if request.starts_with("GET /end") { ok("there") } else { redirect(307, "/end?x=1") })
            .await;
    let reply = send(&local(), &request("GET", &server.url("/start"))).await.expect("it answers");
    assert_eq!((reply.status, reply.url), (200, server.url("/end?x=1")));
    let reply = send(&local(), &request("POST", &server.url("/start"))).await.expect("it answers");
    assert_eq!((reply.status, reply.url), (307, server.url("/start")));

    let circle = Server::start(|_| redirect(301, "/again")).await;
    let reply = send(&local(), &request("GET", &circle.url("/"))).await;
    assert!(matches!(reply, Err(HttpError::Reply(_))), "{reply:?}");
    assert_eq!(circle.requests().len(), 6);
}

#[test]
fn a_wrong_list_of_hosts_names_the_entry() {
    for entry in ["10.0.0.0/33", "10.0.0/8", "::1/129", "host:", "host:99999", "[::1", "a b", "http://x/", ":80"] {
        let error = OutgoingPolicy::parse(&format!("localhost,{entry}")).expect_err(entry);
        assert_eq!(error.entry, entry);
    }
    for list in ["", " , ", "localhost", "127.0.0.1:80", "::1", "[::1]:80", "[::1]", "fd00::/8", "0.0.0.0/0"] {
        OutgoingPolicy::parse(list).expect("a well-formed list");
    }
}

#[test]
fn receivers_of_webhooks_use_https_unless_the_operator_listed_their_host() {
    let policy = OutgoingPolicy::parse("inside.example:8080,plain.example,127.0.0.1:9000,10.0.0.0/8").expect("a list");
    for (url, expected) in [
        ("https://hook.example/a?b=c", Ok("hook.example")),
        ("https://Hook.Example.:8443/", Ok("hook.example:8443")),
        ("https://[2606:4700::1111]:8443/", Ok("[2606:4700::1111]:8443")),
        ("https://inside.example/", Ok("inside.example")),
        ("http://inside.example:8080/", Ok("inside.example:8080")),
        ("http://inside.example/", Err("`inside.example` is not listed")),
        ("http://PLAIN.example:81/", Ok("plain.example:81")),
        ("http://hook.example/", Err("use https; http is allowed only to hosts in APIFLOW_ALLOW_HOSTS")),
        ("http://127.0.0.1:9000/", Ok("127.0.0.1:9000")),
        ("http://127.0.0.1/", Err("loopback")),
        ("http://10.1.2.3/", Ok("10.1.2.3")),
        ("https://192.168.0.1/", Err("private")),
        ("http://1.1.1.1/", Err("`1.1.1.1` is not listed")),
        ("file:///etc/passwd", Err("scheme `file` is not allowed")),
    ] {
        match (policy.check_receiver(url), expected) {
            (Ok(host), Ok(expected)) => assert_eq!(host, expected, "{url}"),
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{url}: {reason}"),
            (found, expected) => panic!("{url}: {found:?} instead of {expected:?}"),
        }
    }
}
