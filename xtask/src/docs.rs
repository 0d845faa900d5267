//! The tables of fields in the documentation, generated from the schema of declarations and the OpenAPI document.
//!
//! A page marks a table by `<!-- fields of NAME -->` and `<!-- end of fields -->`, where `NAME` is a definition of
//! `apiflow-core/src/catalog/declarations.json`, or `api:NAME` a schema of `apiflow-server/openapi.json`. A list after a colon
//! selects fields and their order: `<!-- fields of NodeInput: as, accept -->`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::output::print_line;
use crate::{Result, workspace_root};

const BEGIN: &str = "<!-- fields of ";
const END: &str = "<!-- end of fields -->";

/// Regenerates the tables of all pages, or checks that they are up to date.
///
/// # Errors
/// A page is out of date, names an unknown definition, or can't be read or written.
pub fn run(check: bool) -> Result {
    let schemas = Schemas::read(workspace_root())?;
    let mut outdated = Vec::new();
    for page in list_pages()? {
        let text = read_file(&page)?;
        let current = update_page(&text, &schemas).map_err(|error| format!("{}: {error}", page.display()))?;
        if current == text {
            continue;
        }
        if check {
            outdated.push(page.display().to_string());
        } else {
            fs::write(&page, current).map_err(|error| format!("`{}` can't be written: {error}", page.display()))?;
            print_line(format!("wrote {}", page.display()));
        }
    }
    if outdated.is_empty() {
        Ok(())
    } else {
        Err(format!("tables of fields are out of date: run `cargo xtask docs`\n{}", outdated.join("\n")))
    }
}

fn list_pages() -> Result<Vec<PathBuf>> {
    let folder = workspace_root().join("docs");
    let entries = fs::read_dir(&folder).map_err(|error| format!("`{}` can't be read: {error}", folder.display()))?;
    let mut pages: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    Ok(pages)
}

fn read_file(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("`{}` can't be read: {error}", path.display()))
}

/// Where the fields are described.
pub struct Schemas {
    declarations: Value,
    api: Value,
}

impl Schemas {
    /// Reads the schemas of the repository.
    ///
    /// # Errors
    /// A file can't be read, or is not JSON.
    pub fn read(root: &Path) -> Result<Self> {
        let read = |name: &str| {
            let text = read_file(&root.join(name))?;
            serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
        };
        Ok(Self {
            declarations: read("apiflow-core/src/catalog/declarations.json")?,
            api: read("apiflow-server/openapi.json")?,
        })
    }

    /// Builds a table from what follows `fields of`: a name, and the selected fields if there are any.
    fn build_table(&self, wanted: &str) -> Result<String> {
        let (name, selected) = wanted.split_once(": ").unwrap_or((wanted, ""));
        let selected: Vec<&str> = selected.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let (root, definition) = match name.strip_prefix("api:") {
            Some(name) => (&self.api, &self.api["components"]["schemas"][name]),
            None => (&self.declarations, &self.declarations["$defs"][name]),
        };
        let fields = definition["properties"].as_object().ok_or_else(|| format!("there is no definition `{name}`"))?;
        if let Some(missing) = selected.iter().find(|name| !fields.contains_key(**name)) {
            return Err(format!("`{name}` has no field `{missing}`"));
        }
        let names = if selected.is_empty() { fields.keys().map(String::as_str).collect() } else { selected };
        let required = definition["required"].as_array().cloned().unwrap_or_default();
        let mut table = "| field | type | default | meaning |\n|---|---|---|---|\n".to_owned();
        for name in names {
            let field = Field::resolve(root, &fields[name]);
            let default = if required.iter().any(|word| word == name) {
                "required".to_owned()
            } else {
                field.find("default").map(|value| format!("`{value}`")).unwrap_or_default()
            };
            let meaning = field.find("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
            let row = [format!("`{name}`"), field.describe_type(), default, meaning];
            table.extend(["| ", &row.map(|cell| cell.replace('|', "\\|")).join(" | "), " |\n"]);
        }
        Ok(table)
    }
}

/// A field's schema.
struct Field<'a> {
    root: &'a Value,
    /// What is written at the field, then what it refers to, and so on.
    chain: Vec<&'a Value>,
}

impl<'a> Field<'a> {
    fn resolve(root: &'a Value, own: &'a Value) -> Self {
        let next = |schema: &&'a Value| root.pointer(schema["$ref"].as_str()?.trim_start_matches('#'));
        Self { root, chain: std::iter::successors(Some(own), next).collect() }
    }

    /// Returns the schema at the end of all references.
    fn target(&self) -> &'a Value {
        self.chain[self.chain.len() - 1]
    }

    /// Returns a keyword; what stands at the field comes first.
    fn find(&self, keyword: &str) -> Option<&'a Value> {
        self.chain.iter().find_map(|schema| schema.get(keyword))
    }

    fn describe_type(&self) -> String {
        let schema = self.target();
        if let Some(title) = schema["title"].as_str() {
            return title.to_owned();
        }
        if let Some(word) = schema.get("const") {
            return format!("`{}`", word.as_str().unwrap_or_default());
        }
        if let Some(words) = schema["enum"].as_array() {
            let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
            return words.join(", ");
        }
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let is_type = |schema: &&Value| schema["type"] != "null";
            let types =
                alternatives.iter().filter(is_type).map(|schema| Field::resolve(self.root, schema).describe_type());
            let mut types: Vec<String> = types.collect();
            types.dedup();
            return types.join(" or ");
        }
        match &schema["type"] {
            Value::String(name) => self.describe_named(name),
            Value::Array(names) => {
                let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
                names.map(|name| self.describe_named(name)).collect::<Vec<_>>().join(" or ")
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any value".to_owned(),
        }
    }

    fn describe_named(&self, name: &str) -> String {
        let schema = self.target();
        let range = match (&schema["minimum"], &schema["maximum"]) {
            (Value::Number(least), Value::Number(most)) => format!(" from {least} to {most}"),
            (Value::Number(least), _) => format!(", at least {least}"),
            (_, Value::Number(most)) => format!(", at most {most}"),
            _ => String::new(),
        };
        match name {
            "integer" => format!("whole number{range}"),
            "number" => format!("number{range}"),
            "array" => match schema.get("items") {
                Some(items) => format!("list of {}", plural(&Field::resolve(self.root, items).describe_type())),
                None => "list".to_owned(),
            },
            other => other.to_owned(),
        }
    }
}

fn plural(name: &str) -> String {
    match name {
        "string" => "strings".to_owned(),
        "object" => "objects".to_owned(),
        "object or string" => "objects or strings".to_owned(),
        "whole number" => "whole numbers".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns a page with current tables.
///
/// # Errors
/// A table has no end, or names an unknown definition or field.
pub fn update_page(text: &str, schemas: &Schemas) -> Result<String> {
    let mut updated = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let marker = &rest[start + BEGIN.len()..];
        let wanted = marker.split_once(" -->").ok_or("a marker `fields of` has no end")?.0;
        let end = rest[start..].find(END).ok_or_else(|| format!("the fields of `{wanted}` have no end marker"))?;
        updated.extend([&rest[..start], BEGIN, wanted, " -->\n", &schemas.build_table(wanted)?, END]);
        rest = &rest[start + end + END.len()..];
    }
    updated.push_str(rest);
    Ok(updated)
}
