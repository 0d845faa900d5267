//! Running other programs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use crate::processes::Owned;
use crate::say::say;
use crate::{Result, root};

/// A program with its arguments, run in the repository's top folder unless said otherwise.
pub(crate) struct Tool {
    command: Command,
    words: Vec<String>,
}

/// A program by name or path.
pub(crate) fn tool(program: impl AsRef<OsStr>) -> Tool {
    let mut command = Command::new(&program);
    command.current_dir(root()).stdin(Stdio::null());
    Tool { command, words: vec![program.as_ref().to_string_lossy().into_owned()] }
}

impl Tool {
    /// Adds arguments.
    pub(crate) fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        for argument in arguments {
            self.words.push(argument.as_ref().to_string_lossy().into_owned());
            self.command.arg(argument);
        }
        self
    }

    /// Runs it in this folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it, showing what it writes.
    ///
    /// # Errors
    /// Says that it can't be started, or how it ended.
    pub(crate) async fn run(mut self) -> Result {
        let line = self.line();
        let status = Owned::start(&mut self.command)?.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("`{line}` ended with {status}")) }
    }

    /// Runs it and gives its standard output.
    pub(crate) async fn output(mut self) -> Result<String> {
        let line = self.line();
        self.command.kill_on_drop(true);
        let output = self.command.output().await.map_err(|error| format!("`{line}` can't be run: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{line}` ended with {}: {}", output.status, said.trim()))
    }

    /// Runs it, showing what it writes, and gives that with whether it ended well.
    pub(crate) async fn watch(mut self) -> Result<(bool, String)> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).env("NO_COLOR", "1");
        let mut owned = Owned::start(&mut self.command)?;
        let out = owned.child().stdout.take().expect("its output is piped");
        let errors = owned.child().stderr.take().expect("its errors are piped");
        let (out, errors) = tokio::join!(show(out), show(errors));
        let status = owned.wait().await?;
        Ok((status.success(), out + &errors))
    }

    fn line(&self) -> String {
        self.words.join(" ")
    }
}

async fn show(stream: impl AsyncRead + Unpin) -> String {
    let mut lines = BufReader::new(stream).lines();
    let mut all = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        say(&line);
        all.push_str(&line);
        all.push('\n');
    }
    all
}

/// The first of these programs that is on the path.
pub(crate) fn find(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    programs.iter().find_map(|program| find_in(&path, program))
}

fn find_in(path: &OsString, program: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
