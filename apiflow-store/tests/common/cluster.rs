//! A Postgres of a test's own, which it may stop and start again.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the server may take to answer or to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// An empty cluster on a free port of the loopback interface; gone when it is dropped.
pub(crate) struct Cluster {
    files: TempDir,
    bin: PathBuf,
    /// Whom the server runs as: it refuses to be root.
    user: Option<&'static str>,
    port: u16,
    server: Option<Child>,
}

impl Cluster {
    /// Makes a cluster and starts its server; `None` if the tests go without Postgres.
    pub(crate) fn start() -> Option<Self> {
        if std::env::var("APIFLOW_SKIP_POSTGRES").is_ok_and(|skip| skip == "1") {
            eprintln!("skipped without Postgres");
            return None;
        }
        let bin = find_binaries().expect("Postgres' `initdb` and `postgres` are installed, or APIFLOW_SKIP_POSTGRES=1");
        let files = tempfile::Builder::new().prefix("apiflow-postgres-").tempdir().expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut cluster = Self { files, bin, user: unprivileged_user(), port, server: None };
        cluster.give_to_user(cluster.files.path());
        let options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"];
        let made = cluster.command("initdb").args(options).arg("-D").arg(cluster.data()).output().expect("it starts");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        cluster.resume();
        Some(cluster)
    }

    /// Where it is reached; the user may do everything in it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends the server as an administrator does: its clients are cut off.
    pub(crate) fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let told = Command::new("kill").args(["-INT", &server.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "the server is told to end");
        server.wait().expect("it can be waited for");
    }

    /// Starts the server on the same port and data.
    pub(crate) fn resume(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let errors = log.try_clone().expect("a log");
        let port = format!("port={}", self.port);
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).stdin(Stdio::null()).stdout(log).stderr(errors);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=30", &port] {
            command.args(["-c", setting]);
        }
        self.server = Some(command.spawn().expect("the server starts"));
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            assert!(Instant::now() < deadline, "Postgres does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Hands a folder to the server's user.
    pub(crate) fn give_to_user(&self, folder: &Path) {
        let Some(user) = self.user else { return };
        let given = Command::new("chown").arg(user).arg(folder).status();
        assert!(given.is_ok_and(|status| status.success()), "{} is handed over", folder.display());
    }

    fn answers(&self) -> bool {
        let port = self.port.to_string();
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && Command::new(self.bin.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status()
                .is_ok_and(|status| status.success())
    }

    fn data(&self) -> PathBuf {
        self.files.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.files.path().join("server.log")
    }

    /// A program of Postgres as the server's user. `setpriv` becomes the program, so that it can be signalled.
    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={user}"), "--clear-groups".to_owned(), "--".to_owned()]).arg(program);
                command
            }
        };
        command.current_dir(self.files.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn find_binaries() -> Option<PathBuf> {
    let whole = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = packaged.map(|version| version.path().join("bin")).filter(whole).collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.pop().or_else(|| std::env::split_paths(&path).find(whole))
}

/// The user to become, if this process is root.
fn unprivileged_user() -> Option<&'static str> {
    let id = |arguments: &[&str]| Command::new("id").args(arguments).output().ok().filter(|done| done.status.success());
    let own = id(&["-u"]).expect("`id` tells who this process is");
    if String::from_utf8_lossy(&own.stdout).trim() != "0" {
        return None;
    }
    let user = ["postgres", "nobody"].into_iter().find(|name| id(&["-u", name]).is_some());
    Some(user.expect("Postgres can't run as root, and there is neither a user `postgres` nor `nobody`"))
}
