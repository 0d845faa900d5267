//! A server as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server; ended when it is dropped.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) address: String,
    /// What was printed before the address.
    pub(crate) greeting: String,
}

impl Server {
    pub(crate) fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::spawn(command(folder, settings))
    }

    /// A demo.
    #[cfg(feature = "demo")]
    pub(crate) fn start_demo(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = command(folder, settings);
        command.arg("--demo");
        Self::spawn(command)
    }

    /// A server that may have so many files open.
    pub(crate) fn start_with_open_files(folder: &Path, limit: u32, settings: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -n {limit}; exec \"$0\" serve");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_apiflow")]);
        Self::spawn(prepared(shell, folder, settings))
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut greeting = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(output.read_line(&mut line).is_ok_and(|length| length > 0), "it ended: {greeting}");
            match line.trim_end().strip_prefix("apiflow listens on http://") {
                Some(address) => break address.to_owned(),
                None => greeting.push_str(&line),
            }
        };
        Self { child, output, address, greeting }
    }

    /// Sends a request and gives the whole reply.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the server takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time is no fault");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .expect("the request is sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the reply is text");
        reply
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()));
    }

    /// Waits for the end; gives whether it was a good one, and the rest of the output.
    pub(crate) fn end(mut self) -> (bool, String) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                let mut rest = String::new();
                self.output.read_to_string(&mut rest).expect("the rest is text");
                return (status.success(), rest);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not end within {PATIENCE:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn command(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apiflow"));
    command.arg("serve");
    prepared(command, folder, settings)
}

fn prepared(mut command: Command, folder: &Path, settings: &[(&str, &str)]) -> Command {
    command.env_clear().env("APIFLOW_LISTEN", "127.0.0.1:0").envs(settings.iter().copied());
    command.current_dir(folder).stdin(Stdio::null()).stderr(Stdio::inherit());
    command
}
