//! Inline code of a workflow (`rawscript`): JavaScript with a function `main`, or TypeScript whose types are stripped.
//!
//! Architecture invariant: as with expressions, a parser only reads source that [`crate::expression::scan_code`] has
//! accepted.

#![expect(clippy::wildcard_enum_match_arm, reason = "the parser has many kinds of nodes, of which few matter here")]

mod type_stripping;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    BindingPattern, Declaration, ExportDefaultDeclarationKind, Expression, FormalParameters, ImportOrExportKind,
    Statement,
};
use oxc_parser::{ParseOptions, Parser};
use oxc_span::{GetSpan as _, SourceType, Span};
use serde_json::{Map, Value};

use crate::expression::{SyntaxFault, locate_fault, scan_code};
use crate::ports::{Script, ScriptForm};

/// Language tags whose code is run. Source: OpenFlow's tags for JavaScript and TypeScript; the last two are additions.
pub(crate) const LANGUAGES: [&str; 5] = ["bun", "deno", "nativets", "javascript", "typescript"];

/// Returns whether code with this language tag is run.
pub(crate) fn is_javascript(language: &str) -> bool {
    LANGUAGES.contains(&language)
}

/// Inline code that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// JavaScript of the same length as the original: types and `export` are replaced by blanks, so that positions stay
    /// valid.
    pub source: String,
    /// The parameters of `main`, in order.
    pub parameters: Vec<Parameter>,
}

/// A parameter of `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name of the parameter and of the input that it receives.
    pub name: String,
    /// Whether the parameter has a default or a `?`.
    pub optional: bool,
}

/// Parses JavaScript or TypeScript with a top-level function `main`, exported or not.
///
/// # Errors
/// The first fault with its position: a syntax error, an `import`, TypeScript with a meaning at run time (`enum`,
/// `namespace`, parameter properties, decorators), or a missing `main`.
pub fn read(content: &str) -> Result<Code, SyntaxFault> {
    scan_code(content)?;
    let allocator = Allocator::default();
    let options = ParseOptions { parse_regular_expression: true, ..ParseOptions::default() };
    let parser = Parser::new(&allocator, content, SourceType::ts().with_module(true)).with_options(options);
    let parsed = parser.parse();
    if let Some(fault) = parsed.diagnostics.first() {
        return Err(locate_fault(content, 0, fault));
    }
    if parsed.panicked {
        return Err(SyntaxFault::at_byte(content, 0, "the code can't be parsed"));
    }
    let mut blanks = type_stripping::find_type_spans(content, &parsed.program)?;
    let mut main = None;
    for statement in &parsed.program.body {
        match statement {
            Statement::ExportDeclaration(export) => {
                blanks.push(Span::new(export.span.start, export.declaration.span().start));
                main = main.or(main_of_declaration(&export.declaration));
            }
            Statement::ExportNamedDeclaration(export) => {
                let message = "`export {…}` has no use here: declare `main`";
                return Err(SyntaxFault::at_byte(content, start(export.span), message));
            }
            Statement::ExportDefaultDeclaration(export) => match &export.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(function)
                    if function.id.is_some() && function.body.is_some() =>
                {
                    blanks.push(Span::new(export.span.start, function.span.start));
                    main = main.or(named_main(function.id.as_ref().map(|id| id.name.as_str()), &function.params));
                }
                _ => {
                    return Err(SyntaxFault::at_byte(content, start(export.span), "name the exported function `main`"));
                }
            },
            Statement::FunctionDeclaration(function) if function.body.is_some() => {
                main = main.or(named_main(function.id.as_ref().map(|id| id.name.as_str()), &function.params));
            }
            Statement::VariableDeclaration(variables) => {
                main = main.or(variables.declarations.iter().find_map(|one| main_of_value(&one.id, one.init.as_ref())));
            }
            // A type-only import has no effect at run time.
            Statement::ImportDeclaration(import) if import.import_kind == ImportOrExportKind::Type => {
                blanks.push(import.span);
            }
            Statement::ExportFromDeclaration(export) if export.export_kind == ImportOrExportKind::Type => {
                blanks.push(export.span);
            }
            Statement::ExportAllDeclaration(export) if export.export_kind == ImportOrExportKind::Type => {
                blanks.push(export.span);
            }
            Statement::ImportDeclaration(_)
            | Statement::ExportFromDeclaration(_)
            | Statement::ExportAllDeclaration(_) => {
                let message = "`import` is not available: inline code has no modules, network or files; use a node";
                return Err(SyntaxFault::at_byte(content, start(statement.span()), message));
            }
            _ => {}
        }
    }
    let main = main.ok_or_else(|| SyntaxFault::at_byte(content, 0, "the code has no function `main`"))?;
    let parameters = read_parameters(content, main)?;
    Ok(Code { source: blank_spans(content, &blanks), parameters })
}

/// Builds the script that evaluates `main` with arguments by name. Arguments that `main` does not take are left out; a
/// parameter without an argument is `undefined`.
///
/// # Errors
/// The same as those of [`read`].
pub(crate) fn build_script(content: &str, args: &Map<String, Value>) -> Result<Script, SyntaxFault> {
    let code = read(content)?;
    let mut names = Map::new();
    let mut given = Vec::with_capacity(code.parameters.len());
    for (position, parameter) in code.parameters.iter().enumerate() {
        given.push(match args.get(&parameter.name) {
            Some(value) => {
                let name = format!("apiflow_argument_{position}");
                names.insert(name.clone(), value.clone());
                name
            }
            None => "undefined".to_owned(),
        });
    }
    let source = format!("{}\nreturn main({});", code.source, given.join(", "));
    Ok(Script { source, names, form: ScriptForm::Code })
}

fn main_of_declaration<'p, 'a>(declaration: &'p Declaration<'a>) -> Option<&'p FormalParameters<'a>> {
    match declaration {
        Declaration::FunctionDeclaration(function) if function.body.is_some() => {
            named_main(function.id.as_ref().map(|id| id.name.as_str()), &function.params)
        }
        Declaration::VariableDeclaration(variables) => {
            variables.declarations.iter().find_map(|one| main_of_value(&one.id, one.init.as_ref()))
        }
        _ => None,
    }
}

fn main_of_value<'p, 'a>(
    name: &BindingPattern<'a>,
    value: Option<&'p Expression<'a>>,
) -> Option<&'p FormalParameters<'a>> {
    let BindingPattern::BindingIdentifier(id) = name else { return None };
    match value? {
        Expression::ArrowFunctionExpression(function) => named_main(Some(id.name.as_str()), &function.params),
        Expression::FunctionExpression(function) => named_main(Some(id.name.as_str()), &function.params),
        _ => None,
    }
}

fn named_main<'p, 'a>(name: Option<&str>, parameters: &'p FormalParameters<'a>) -> Option<&'p FormalParameters<'a>> {
    (name == Some("main")).then_some(parameters)
}

fn read_parameters(content: &str, list: &FormalParameters<'_>) -> Result<Vec<Parameter>, SyntaxFault> {
    if let Some(rest) = &list.rest {
        return Err(SyntaxFault::at_byte(
            content,
            start(rest.span),
            "`main` takes its inputs by name: name each parameter",
        ));
    }
    let mut parameters = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let BindingPattern::BindingIdentifier(id) = &item.pattern else {
            return Err(SyntaxFault::at_byte(
                content,
                start(item.span),
                "`main` takes its inputs by name: name each parameter",
            ));
        };
        let optional = item.optional || item.initializer.is_some();
        parameters.push(Parameter { name: id.name.to_string(), optional });
    }
    Ok(parameters)
}

fn start(span: Span) -> usize {
    span.start as usize
}

/// Replaces the spans by blanks and keeps line ends.
fn blank_spans(content: &str, spans: &[Span]) -> String {
    let mut bytes = content.as_bytes().to_vec();
    for span in spans {
        for byte in &mut bytes[span.start as usize..span.end as usize] {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(bytes).expect("whole tokens of a text were made blanks")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, source: &str, parameters: &[(&str, bool)]) {
        let code = read(content).expect(content);
        let found: Vec<(&str, bool)> =
            code.parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.optional)).collect();
        assert_eq!((code.source.as_str(), found.as_slice()), (source, parameters));
    }

    fn refused(content: &str, message: &str, line: u32, column: u32) {
        let fault = read(content).expect_err(content);
        let place = fault.span.map(|span| (span.line, span.column));
        assert_eq!((fault.message.as_str(), place), (message, Some((line, column))), "{content}");
    }

    #[test]
    fn types_and_exports_become_blanks() {
        check("export function main(a) { return a }", "       function main(a) { return a }", &[("a", false)]);
        check(
            "type T = {x: number}\nexport async function main(a: T, b?: string, c = 1): Promise<T> {\n  return a!.x as any;\n}",
            "                    \n       async function main(a   , b         , c = 1)             {\n  return a .x       ;\n}",
            &[("a", false), ("b", true), ("c", true)],
        );
        check(
            "const main = <T>(x: T[]) => x.map<T>((y) => y satisfies T)",
            "const main =    (x     ) => x.map   ((y) => y            )",
            &[("x", false)],
        );
        check("interface A { x: 1 }\nfunction main() {}", "                    \nfunction main() {}", &[]);
        check(
            "let u: string | undefined;\nexport default function main(é: number) { return u ?? `${é}` }",
            "let u                    ;\n               function main(é        ) { return u ?? `${é}` }",
            &[("é", false)],
        );
    }

    #[test]
    fn what_cannot_run_is_refused_at_its_place() {
        refused("function other() {}", "the code has no function `main`", 1, 1);
        refused(
            "import x from 'y'\nfunction main() {}",
            "`import` is not available: inline code has no modules, network or files; use a node",
            1,
            1,
        );
        refused(
            "\nenum E { A }\nfunction main() {}",
            "`enum` is not supported, because it is more than a type: use an object",
            2,
            1,
        );
        refused("function main({ a }) {}", "`main` takes its inputs by name: name each parameter", 1, 15);
        refused("export function main(a { }", "`(` is not closed", 1, 21);
        assert!(read(&format!("function main() {{ return {}1 }}", "(".repeat(99))).is_err());
    }

    #[test]
    fn main_is_found_in_each_form() {
        check("const main = function (a) {}", "const main = function (a) {}", &[("a", false)]);
        check(
            "import type {T} from './t'\nexport function main(a: T) {}",
            "                          \n       function main(a   ) {}",
            &[("a", false)],
        );
        check(
            "function main(a: string): void\nfunction main(a: any, b?: any) {}",
            "                              \nfunction main(a     , b      ) {}",
            &[("a", false), ("b", true)],
        );
    }

    #[test]
    fn long_code_without_semicolons_is_no_deep_code() {
        let line = |n| format!("  const a{n} = b{n}.c(d) + !e\n  if (a{n}) f(a{n} < 3)\n");
        let lines: String = (0..900).map(line).collect();
        let source = format!("function main(x) {{\n{lines}}}");
        check(&source, &source, &[("x", false)]);
    }

    #[test]
    fn arguments_are_given_by_name() {
        let args = serde_json::json!({"b": 2, "other": 3});
        let script = build_script("export function main(a, b) { return [a, b] }", args.as_object().expect("an object"))
            .expect("it runs");
        assert_eq!(
            script.source,
            "       function main(a, b) { return [a, b] }\nreturn main(undefined, apiflow_argument_1);"
        );
        assert_eq!(Value::Object(script.names), serde_json::json!({"apiflow_argument_1": 2}));
    }
}
