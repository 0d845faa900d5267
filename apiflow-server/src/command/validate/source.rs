//! The files of the command line, and their contents.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::validate::kind::Kind;

/// The reason why a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceRole {
    /// It is to be validated.
    Checked,
    /// It is to be validated if it contains a declaration: its folder is on the command line.
    Found,
    /// Others may refer to it; its own findings are reported only if it cannot be used. The kind, if specified.
    Declared(Option<Kind>),
}

/// A file, its text and its JSON value.
#[derive(Debug)]
pub(super) struct Source {
    /// The path as it was passed.
    pub(super) path: PathBuf,
    pub(super) role: SourceRole,
    pub(super) text: String,
    /// The parsed content of the text.
    pub(super) content: Result<Value, Malformed>,
}

/// Why a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) message: String,
    /// Offset of the offending byte.
    pub(super) at: usize,
}

/// Reads a file, or the JSON files of a folder and its subfolders.
///
/// # Errors
/// A message if something cannot be read.
pub(super) fn read(path: &Path, role: SourceRole, sources: &mut Vec<Source>) -> Result<(), String> {
    if path.is_dir() {
        let mut files = Vec::new();
        list(path, &mut files)?;
        if files.is_empty() {
            return Err(format!("{} contains no .json files", path.display()));
        }
        let role = if role == SourceRole::Checked { SourceRole::Found } else { role };
        return files.iter().try_for_each(|file| read(file, role, sources));
    }
    // A file that is passed twice is read once, and validated if either occurrence is to be validated.
    let same = |source: &Source| {
        fs::canonicalize(&source.path).ok().is_some_and(|known| fs::canonicalize(path).is_ok_and(|own| own == known))
    };
    if let Some(known) = sources.iter_mut().find(|source| same(source)) {
        if matches!(known.role, SourceRole::Declared(_)) {
            known.role = role;
        }
        return Ok(());
    }
    let refused = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map_err(refused)?;
        bytes
    } else {
        fs::read(path).map_err(refused)?
    };
    let (text, content) = parse(bytes);
    sources.push(Source { path: path.to_owned(), role, text, content });
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let refused = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        entries.push(entry.map_err(refused)?.path());
    }
    entries.sort();
    for entry in entries {
        // A symbolic link to a folder may form a cycle.
        if entry.is_dir() && !entry.is_symlink() {
            list(&entry, files)?;
        } else if entry.extension().is_some_and(|extension| extension == "json") {
            files.push(entry);
        }
    }
    Ok(())
}

fn parse(bytes: Vec<u8>) -> (String, Result<Value, Malformed>) {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            return (text, Err(Malformed { message: "the file is not UTF-8 text".to_owned(), at }));
        }
    };
    let content = serde_json::from_str(&text).map_err(|error| malformed_json(&text, &error));
    (text, content)
}

fn malformed_json(text: &str, error: &serde_json::Error) -> Malformed {
    let said = error.to_string();
    let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(message, _)| message);
    let message = match message.strip_prefix("EOF while parsing ") {
        Some("a value") => "the text ends where a value should be".to_owned(),
        Some(open) => format!("the text ends inside {open}"),
        None => message.to_owned(),
    };
    let before = error.line().saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    // The parser counts bytes from 1, and 0 for the end of the line before.
    let at = (start + error.column()).saturating_sub(1).min(text.len());
    Malformed { message, at: text.floor_char_boundary(at) }
}

impl Source {
    /// Returns the name of the file in messages.
    pub(super) fn display_name(&self) -> String {
        if self.path.as_os_str() == "-" { "<stdin>".to_owned() } else { self.path.display().to_string() }
    }

    /// Returns the kind of its declaration, if it can be recognized.
    pub(super) fn declared_kind(&self) -> Option<Kind> {
        let content = self.content.as_ref().ok()?;
        match self.role {
            // A workflow may be a bare OpenFlow document, or have its document in `nodes`.
            SourceRole::Declared(Some(Kind::Workflow)) => {
                Some(Kind::of_value(content).filter(|kind| kind.name() == "workflow").unwrap_or(Kind::Document))
            }
            SourceRole::Declared(Some(kind)) => Some(kind),
            SourceRole::Declared(None) | SourceRole::Found => Kind::from_marker_field(content),
            SourceRole::Checked => Kind::of_value(content),
        }
    }

    /// Returns the id that others refer to it by: its own, otherwise the file's name.
    pub(super) fn declared_id(&self) -> String {
        let own = self.content.as_ref().ok().and_then(|content| content.get("id")?.as_str());
        let name = || self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        own.map_or_else(name, str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn check(bytes: &[u8], message: &str, at: usize) {
        let fault = parse(bytes.to_vec()).1.expect_err("it is no JSON");
        assert_eq!((fault.message.as_str(), fault.at), (message, at), "{}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn a_fault_has_its_byte() {
        check(b"{\"a\": 1,}", "trailing comma", 8);
        check(b"{\n  \"a\" 1}", "expected `:`", 8);
        check("{\"é\" 1}".as_bytes(), "expected `:`", 6);
        check(b"[1, 2", "the text ends inside a list", 4);
        check(b"", "the text ends where a value should be", 0);
        check(b"[1]\n\n]", "trailing characters", 5);
        check(b"{\"a\": \"\xff\"}", "the file is not UTF-8 text", 7);
        assert!(parse("\u{feff}{}".into()).1.is_ok());
    }
}
