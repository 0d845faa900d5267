//! `apiflow explain`.

use std::borrow::Cow;
use std::process::ExitCode;

use apiflow_core::diagnostic::{codes, nearest_name};
use clap::Args;
use rust_embed::RustEmbed;

use crate::command::{print_error, print_line};

/// The pages about findings, one per code.
#[derive(RustEmbed)]
#[folder = "errors"]
#[allow_missing = true]
struct Pages;

/// The code to explain.
#[derive(Args)]
pub(super) struct Explain {
    /// Code of a finding, which is printed in brackets after `error` or `warning`; without a code, all codes are
    /// listed.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// The page about a code.
pub(super) struct CodePage {
    text: Cow<'static, str>,
}

impl Explain {
    pub(super) fn run(&self) -> ExitCode {
        let said = match &self.code {
            None => Ok(list()),
            Some(code) => {
                CodePage::for_code(code).map(|page| page.text().trim_end().to_owned()).ok_or_else(|| unknown_code(code))
            }
        };
        match said.and_then(|text| print_line(&text)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                print_error(&message);
                ExitCode::FAILURE
            }
        }
    }
}

impl CodePage {
    /// Returns the page of a code.
    pub(super) fn for_code(code: &str) -> Option<Self> {
        // A file that is not named after a code, or lies elsewhere, is not a page.
        let file = Pages::get(&format!("{code}.md")).filter(|_| codes::ALL.contains(&code))?;
        let text = match file.data {
            Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).ok()?),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).ok()?),
        };
        Some(Self { text })
    }

    /// Returns the whole page as Markdown.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the meaning of the code in a sentence.
    pub(super) fn summary(&self) -> &str {
        self.text.lines().skip(1).find(|line| !line.trim().is_empty()).unwrap_or_default()
    }
}

/// Lists all codes with their summaries.
fn list() -> String {
    let mut codes = codes::ALL.to_vec();
    codes.sort_unstable();
    let width = codes.iter().map(|code| code.len()).max().unwrap_or_default();
    let lines = codes.iter().map(|code| {
        let page = CodePage::for_code(code);
        format!("{code:width$}  {}", page.as_ref().map(CodePage::summary).unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn unknown_code(code: &str) -> String {
    let near = nearest_name(code, codes::ALL.iter().copied());
    let advice =
        near.map_or_else(|| "`apiflow explain` lists all codes".to_owned(), |near| format!("did you mean `{near}`?"));
    format!("unknown code `{code}`: {advice}")
}
