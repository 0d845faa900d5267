//! How a server starts, what it refuses, how it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::server::{Server, command};

fn refused(folder: &Path, settings: &[(&str, &str)]) -> String {
    let Output { status, stderr, .. } =
        command(folder, settings).stderr(Stdio::piped()).output().expect("the binary starts");
    assert!(!status.success());
    String::from_utf8_lossy(&stderr).into_owned()
}

#[test]
fn without_settings_it_works_and_tells_the_first_password_once() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[]);
    let password = server
        .greeting
        .split("with the password ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("the password is printed")
        .to_owned();
    assert!(server.ask("GET", "/readyz", "").starts_with("HTTP/1.1 200"));
    let login = format!("{{\"username\": \"admin\", \"password\": \"{password}\"}}");
    assert!(server.ask("POST", "/api/v1/login", &login).contains("\"token\""));
    assert!(folder.path().join("apiflow-data/apiflow.db").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let rights = std::fs::metadata(folder.path().join("apiflow-data")).expect("it is there").permissions();
        assert_eq!(rights.mode() & 0o777, 0o700);
    }
    server.signal("TERM");
    let (well, _) = server.end();
    assert!(well, "SIGTERM is a good end");

    let again = Server::start(folder.path(), &[]);
    assert_eq!(again.greeting, "");
    assert!(again.ask("POST", "/api/v1/login", &login).contains("\"token\""));
    again.signal("INT");
    assert!(again.end().0, "SIGINT is a good end");
}

#[test]
fn a_file_of_settings_is_read_in_the_working_directory() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let text =
        "PUBLIC_API_URL=http://localhost:8000\nADMIN_LOGIN=root\nADMIN_PASSWORD=battery staple\nAPIFLOW_DATA=here\n";
    std::fs::write(folder.path().join(".env"), text.replace("battery staple", "\"battery staple\"")).expect("written");
    let server = Server::start(folder.path(), &[]);
    let login = "{\"username\": \"root\", \"password\": \"battery staple\"}";
    assert!(server.ask("POST", "/api/v1/login", login).contains("\"token\""));
    assert!(folder.path().join("here/secret.key").exists());
}

#[test]
fn a_faulty_file_of_settings_is_told_without_what_stands_there() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join(".env"), "ADMIN_LOGIN=root\nADMIN_PASSWORD=my canary pass\n").expect("written");
    let said = refused(folder.path(), &[]);
    assert!(said.contains(".env: line 2 is invalid"), "{said}");
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn a_database_sealed_with_another_key_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let key = |letter: &str| letter.repeat(64);
    let server = Server::start(folder.path(), &[("APIFLOW_SECRET_KEY", &key("a"))]);
    server.signal("TERM");
    assert!(server.end().0);
    let said = refused(folder.path(), &[("APIFLOW_SECRET_KEY", &key("b"))]);
    assert!(said.contains("sealed with another key") && said.contains("APIFLOW_SECRET_KEY"), "{said}");
    let server = Server::start(folder.path(), &[("APIFLOW_SECRET_KEY", &key("a"))]);
    assert!(server.ask("GET", "/readyz", "").starts_with("HTTP/1.1 200"));
}

#[test]
fn the_example_of_settings_names_them_all() {
    let example =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example")).expect("it is there");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let help = command(folder.path(), &[]).arg("--help").output().expect("the binary starts").stdout;
    let help = String::from_utf8_lossy(&help).into_owned();
    let names: Vec<_> = help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next()).collect();
    assert!(names.len() > 10, "{help}");
    let missing: Vec<_> = names.iter().filter(|name| !example.contains(&format!("{name}="))).collect();
    assert_eq!(missing, [&""; 0]);
}

#[test]
fn what_cannot_work_is_told_clearly() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[]);
    for (settings, words) in [
        (vec![], "another apiflow is running on apiflow-data"),
        (vec![("APIFLOW_DATA", "other"), ("APIFLOW_LISTEN", server.address.as_str())], "is in use by another program"),
        (vec![("APIFLOW_DATA", "third"), ("DATABASE_URL", "mysql://u:secret@h/d")], "sqlite:<path> or postgres://"),
        (vec![("APIFLOW_DATA", "fourth"), ("APIFLOW_SECRET_KEY", "short")], "APIFLOW_SECRET_KEY is not a valid key"),
        (vec![("APIFLOW_DATA", "fifth"), ("APIFLOW_ALLOW_HOSTS", "a/b/c")], "APIFLOW_ALLOW_HOSTS: `a/b/c`"),
        (vec![("APIFLOW_DATA", "sixth"), ("PUBLIC_API_URL", "localhost")], "PUBLIC_API_URL: `localhost`"),
        (vec![("APIFLOW_DATA", "seventh"), ("APIFLOW_CORS_ORIGINS", "*")], "APIFLOW_CORS_ORIGINS: `*`"),
        (vec![("RUST_LOG", "inof")], "RUST_LOG: `inof` is not a level"),
        (vec![("RUST_LOG", "info,apiflow_server=loud")], "RUST_LOG: `info,apiflow_server=loud` is invalid"),
        (vec![("APIFLOW_LISTEN", "localhost")], "`localhost` has no port; write a port (`8000`)"),
        (vec![("APIFLOW_DATA", "ninth"), ("ADMIN_LOGIN", "")], "ADMIN_LOGIN: `` is not a valid username"),
        (
            vec![("APIFLOW_DATA", "tenth"), ("APIFLOW_TRUSTED_PROXIES", "a.example")],
            "APIFLOW_TRUSTED_PROXIES: `a.example`",
        ),
        (
            vec![
                ("APIFLOW_DATA", "eighth"),
                ("PUBLIC_API_URL", "https://apiflow.example"),
                ("ADMIN_PASSWORD", "admin"),
            ],
            "ADMIN_PASSWORD: `admin` is refused",
        ),
        (
            vec![
                ("APIFLOW_DATA", "eleventh"),
                ("PUBLIC_API_URL", "https://apiflow.example"),
                ("ADMIN_PASSWORD", "eleven char"),
            ],
            "ADMIN_PASSWORD: it needs at least 12 characters unless PUBLIC_API_URL is local",
        ),
    ] {
        let said = refused(folder.path(), &settings);
        assert!(said.contains(words), "{settings:?}: {said}");
        assert!(!said.contains("secret@"), "{said}");
    }
    assert!(server.ask("GET", "/readyz", "").starts_with("HTTP/1.1 200"), "the first one goes on");
}

#[test]
fn a_port_or_a_name_is_enough_to_listen_on() {
    for (given, expected) in [("0", "127.0.0.1:"), ("localhost:0", "127.0.0.1:")] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let server = Server::start(folder.path(), &[("APIFLOW_LISTEN", given)]);
        assert!(server.address.starts_with(expected), "{given}: {}", server.address);
        assert!(server.ask("GET", "/healthz", "").starts_with("HTTP/1.1 200"), "{given}");
    }
}

#[test]
fn what_is_mistyped_in_the_environment_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let settings = [
        ("APIFLOW_CONCURENCY", "2"),
        ("APIFLOW_SECRETS_FROM_ENV", "GIVEN_KEY,MISSING_KEY,APIFLOW_KEY_OF_MINE"),
        ("GIVEN_KEY", "given-canary"),
        ("APIFLOW_KEY_OF_MINE", "mine-canary"),
    ];
    let mut child = command(folder.path(), &settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
    let mut line = String::new();
    while !line.contains("apiflow listens on") {
        line.clear();
        assert!(output.read_line(&mut line).is_ok_and(|length| length > 0), "it ended");
    }
    child.kill().expect("it can be ended");
    let mut told = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut told).expect("the log is text");
    child.wait().expect("it can be waited for");
    assert!(told.contains("APIFLOW_CONCURENCY is not a setting; did you mean APIFLOW_CONCURRENCY?"), "{told}");
    assert!(told.contains("APIFLOW_SECRETS_FROM_ENV lists MISSING_KEY, which is not set"), "{told}");
    assert!(!told.contains("lists GIVEN_KEY") && !told.contains("APIFLOW_KEY_OF_MINE"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_workflow_is_checked_on_the_command_line() {
    let check = |text: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("w.json"), text).expect("written");
        let done = Command::new(env!("CARGO_BIN_EXE_apiflow"))
            .args(["validate", "w.json"])
            .current_dir(folder.path())
            .output()
            .expect("the binary starts");
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let module = |kind: &str| {
        format!("{{\"value\": {{\"modules\": [{{\"id\": \"a\", \"value\": {{\"type\": \"{kind}\"}}}}]}}}}")
    };
    assert_eq!(check(&module("identity")).0, Some(0));
    let (code, said) = check(&module("dance"));
    assert_eq!(code, Some(1));
    assert!(said.starts_with("error[unknown-module-type]: "), "{said}");
    assert_eq!(check("{").0, Some(1));
}

#[test]
fn the_evaluator_refuses_a_user() {
    let done = Command::new(env!("CARGO_BIN_EXE_apiflow")).arg("evaluator").stdin(Stdio::null()).output();
    let done = done.expect("the binary starts");
    assert!(!done.status.success());
    assert!(String::from_utf8_lossy(&done.stderr).contains("this command is internal"));
}
