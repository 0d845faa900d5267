//! Runs other programs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use crate::output::print_line;
use crate::processes::OwnedProcess;
use crate::{Result, workspace_root};

/// A program with its arguments; runs in the repository's root folder unless [`Tool::in_folder`] sets another.
pub struct Tool {
    command: Command,
    words: Vec<String>,
}

/// Returns a program by its name or path.
pub fn tool(program: impl AsRef<OsStr>) -> Tool {
    let mut command = Command::new(&program);
    command.current_dir(workspace_root()).stdin(Stdio::null());
    Tool { command, words: vec![program.as_ref().to_string_lossy().into_owned()] }
}

impl Tool {
    /// Adds arguments to the command line.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        for argument in arguments {
            self.words.push(argument.as_ref().to_string_lossy().into_owned());
            self.command.arg(argument);
        }
        self
    }

    /// Sets the working directory of the program.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets an environment variable of the program.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts the program with these standard streams.
    ///
    /// # Errors
    /// The program does not exist.
    pub fn spawn(mut self, output: Stdio, errors: Stdio) -> Result<OwnedProcess> {
        OwnedProcess::start(self.command.stdout(output).stderr(errors))
    }

    /// Runs the program with the output of this process.
    ///
    /// # Errors
    /// The program can't be started, or fails.
    pub async fn run(mut self) -> Result {
        let line = self.command_line();
        let status = OwnedProcess::start(&mut self.command)?.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("`{line}` ended with {status}")) }
    }

    /// Runs the program and returns its standard output.
    ///
    /// # Errors
    /// The program can't be started, or fails; the error contains its standard error.
    pub async fn read_output(mut self) -> Result<String> {
        let line = self.command_line();
        self.command.kill_on_drop(true);
        let output = self.command.output().await.map_err(|error| format!("`{line}` can't be run: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{line}` ended with {}: {}", output.status, errors.trim()))
    }

    /// Runs the program and prints its output; returns whether it succeeded, and the output.
    ///
    /// # Errors
    /// The program can't be started.
    pub async fn run_and_capture(mut self) -> Result<(bool, String)> {
        // Colours would hide from the parsers what they look for.
        self.command.env("NO_COLOR", "1").env("CARGO_TERM_COLOR", "never").env_remove("FORCE_COLOR");
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = OwnedProcess::start(&mut self.command)?;
        let out = process.child().stdout.take().expect("its output is piped");
        let errors = process.child().stderr.take().expect("its errors are piped");
        let (out, errors) = tokio::join!(echo_lines(out), echo_lines(errors));
        let status = process.wait().await?;
        Ok((status.success(), out + &errors))
    }

    /// The command line, for messages.
    #[must_use]
    pub fn command_line(&self) -> String {
        self.words.join(" ")
    }
}

/// Prints a stream line by line; returns all of it.
async fn echo_lines(stream: impl AsyncRead + Unpin) -> String {
    let mut lines = BufReader::new(stream).lines();
    let mut all = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        print_line(&line);
        all.push_str(&line);
        all.push('\n');
    }
    all
}

/// Returns the first of these programs that is on the path.
#[must_use]
pub fn find_program(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    programs.iter().find_map(|program| find_in_path(&path, program))
}

fn find_in_path(path: &OsString, program: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
