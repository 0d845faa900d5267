//! How the tests run the binary.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A folder of its own, in which the binary runs.
pub(crate) struct Folder {
    folder: TempDir,
}

/// What the binary did.
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    /// A folder with these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = Self { folder };
        for (name, text) in files {
            made.write(name, text);
        }
        made
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder is made");
        fs::write(path, text).expect("a file is written");
    }

    pub(crate) fn read_bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).expect("a file is read")
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(self.read_bytes(name)).expect("a file is text")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the binary in the folder, all its streams piped.
    pub(crate) fn spawn(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_apiflow"))
            .current_dir(self.path())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(variables.iter().copied())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }

    /// Runs the binary in the folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, "", &[])
    }

    /// The same with a text on standard input and variables of the environment.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str, variables: &[(&str, &str)]) -> Outcome {
        let mut child = self.spawn(arguments, variables);
        let mut stdin = child.stdin.take().expect("its input is piped");
        // One that takes no input may have ended already.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the binary ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
        Outcome { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Outcome {
    /// All of it in one text, as it is kept in snapshots.
    pub(crate) fn told(&self) -> String {
        let status = self.status.map_or_else(|| "killed".to_owned(), |status| status.to_string());
        format!("exit status {status}\n-- stdout\n{}-- stderr\n{}", self.stdout, self.stderr)
    }
}
