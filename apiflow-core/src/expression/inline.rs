//! Inline code of a `rawscript`: a module with a function `main`.

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    BindingPattern, Declaration, ExportDefaultDeclarationKind, Expression, FormalParameters, Function,
    ImportOrExportKind, Program, Statement, VariableDeclaration,
};
use oxc_parser::{ParseOptions, Parser};
use oxc_span::{GetSpan as _, SourceType};

use super::SyntaxFault;
use super::parse::located;
use super::scan::scanned_module;

/// The languages whose code is run: JavaScript by several names, with or without types.
pub const LANGUAGES: [&str; 5] = ["bun", "deno", "nativets", "javascript", "typescript"];

/// What is known of inline code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline {
    /// The parameters of `main`; `None` where they can't be told by name (destructured ones, `...rest`).
    pub parameters: Option<Vec<Parameter>>,
}

/// A parameter of `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, by which it gets its value.
    pub name: String,
    /// Whether it may be left out: it has a default or is marked with `?`.
    pub optional: bool,
}

/// Reads inline code, or says why it can't run.
///
/// # Errors
/// It does not parse, imports something, or has no function `main`.
pub fn inline(source: &str, language: &str) -> Result<Inline, SyntaxFault> {
    scanned_module(source)?;
    let allocator = Allocator::default();
    let source_type = if language == "javascript" { SourceType::mjs() } else { SourceType::ts() };
    let options = ParseOptions { parse_regular_expression: true, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, source, source_type).with_options(options).parse();
    if let Some(fault) = parsed.diagnostics.first() {
        return Err(located(source, 0, fault));
    }
    if parsed.panicked {
        return Err(SyntaxFault { message: "the code can't be parsed".to_owned(), span: None });
    }
    without_imports(source, &parsed.program)?;
    let main = parsed.program.body.iter().find_map(main_of);
    let Some(parameters) = main else {
        let message = "the code has no function `main`".to_owned();
        return Err(SyntaxFault { message, span: None });
    };
    Ok(Inline { parameters: named(parameters) })
}

/// Refuses what would load other code; types alone are nothing at run time.
fn without_imports(source: &str, program: &Program<'_>) -> Result<(), SyntaxFault> {
    let loading = program.body.iter().find_map(|statement| {
        if let Statement::ImportDeclaration(import) = statement {
            return (import.import_kind == ImportOrExportKind::Value).then(|| import.span());
        }
        if let Statement::ExportFromDeclaration(export) = statement {
            return (export.export_kind == ImportOrExportKind::Value).then(|| export.span());
        }
        if let Statement::ExportAllDeclaration(export) = statement {
            return (export.export_kind == ImportOrExportKind::Value).then(|| export.span());
        }
        None
    });
    match loading {
        Some(span) => {
            let message = "inline code can't load modules: it has JavaScript's own library alone";
            Err(SyntaxFault::at(source, span.start as usize, message))
        }
        None => Ok(()),
    }
}

/// The parameters of `main`, where the statement declares it.
fn main_of<'n, 'a>(statement: &'n Statement<'a>) -> Option<&'n FormalParameters<'a>> {
    if let Statement::FunctionDeclaration(function) = statement {
        return of_function(function);
    }
    if let Statement::VariableDeclaration(variables) = statement {
        return of_variables(variables);
    }
    if let Statement::ExportDeclaration(export) = statement {
        if let Declaration::FunctionDeclaration(function) = &export.declaration {
            return of_function(function);
        }
        if let Declaration::VariableDeclaration(variables) = &export.declaration {
            return of_variables(variables);
        }
    }
    if let Statement::ExportDefaultDeclaration(export) = statement
        && let ExportDefaultDeclarationKind::FunctionDeclaration(function) = &export.declaration
    {
        return of_function(function);
    }
    None
}

fn of_function<'n, 'a>(function: &'n Function<'a>) -> Option<&'n FormalParameters<'a>> {
    let is_main = function.id.as_ref().is_some_and(|id| id.name == "main") && function.body.is_some();
    is_main.then_some(&*function.params)
}

fn of_variables<'n, 'a>(variables: &'n VariableDeclaration<'a>) -> Option<&'n FormalParameters<'a>> {
    variables.declarations.iter().find_map(|declared| {
        let BindingPattern::BindingIdentifier(id) = &declared.id else { return None };
        if id.name != "main" {
            return None;
        }
        let value = declared.init.as_ref()?;
        if let Expression::ArrowFunctionExpression(arrow) = value {
            return Some(&*arrow.params);
        }
        if let Expression::FunctionExpression(function) = value {
            return Some(&*function.params);
        }
        None
    })
}

fn named(parameters: &FormalParameters<'_>) -> Option<Vec<Parameter>> {
    if parameters.rest.is_some() {
        return None;
    }
    let one = |parameter: &oxc_ast::ast::FormalParameter<'_>| {
        let BindingPattern::BindingIdentifier(id) = &parameter.pattern else { return None };
        let optional = parameter.optional || parameter.initializer.is_some();
        Some(Parameter { name: id.name.to_string(), optional })
    };
    parameters.items.iter().filter(|parameter| !is_this(parameter)).map(one).collect()
}

/// `this`, which has a type but gets no value.
fn is_this(parameter: &oxc_ast::ast::FormalParameter<'_>) -> bool {
    matches!(&parameter.pattern, BindingPattern::BindingIdentifier(id) if id.name == "this")
}

#[cfg(test)]
mod tests {
    use super::inline;

    /// The parameters in one way of writing: `a b?`, `*` where they can't be told.
    fn check(source: &str, expected: Result<&str, (&str, Option<(u32, u32)>)>) {
        let found = inline(source, "bun").map(|code| match code.parameters {
            None => "*".to_owned(),
            Some(all) => {
                let all = all.iter().map(|one| format!("{}{}", one.name, if one.optional { "?" } else { "" }));
                all.collect::<Vec<_>>().join(" ")
            }
        });
        let found = found.map_err(|fault| (fault.message, fault.span.map(|span| (span.line, span.column))));
        assert_eq!(found, expected.map(str::to_owned).map_err(|(message, at)| (message.to_owned(), at)), "{source}");
    }

    #[test]
    fn main_is_found_in_each_form() {
        check("function main() {}", Ok(""));
        check("export async function main(a: string, b?: number, c = 3) { return a }", Ok("a b? c?"));
        check("export default function main(a) {}", Ok("a"));
        check("const x = 1\nexport const main = async (a: Array<Map<string, number>>) => a", Ok("a"));
        check("const main = function (a) {}", Ok("a"));
        check("export function main({a, b}: {a: string, b: string}) {}", Ok("*"));
        check("export function main(...all: string[]) {}", Ok("*"));
        check("import type {T} from './t'\nexport function main(a: T) {}", Ok("a"));
        check("function main(a: string): void\nfunction main(a: any, b?: any) {}", Ok("a b?"));
    }

    #[test]
    fn what_cannot_run_says_why_and_where() {
        check("export function Main() {}", Err(("the code has no function `main`", None)));
        check("function f() { function main() {} }", Err(("the code has no function `main`", None)));
        check("const main = 5", Err(("the code has no function `main`", None)));
        check("", Err(("the code has no function `main`", None)));
        check("function main() {\n  return 1 +\n}", Err(("unexpected token", Some((3, 1)))));
        check("function main( {", Err(("`{` is never closed", Some((1, 16)))));
        let refused = "inline code can't load modules: it has JavaScript's own library alone";
        check("\nimport fs from 'fs'\nfunction main() {}", Err((refused, Some((2, 1)))));
        check("export * from 'x'\nfunction main() {}", Err((refused, Some((1, 1)))));
    }

    #[test]
    fn long_code_without_semicolons_is_no_deep_code() {
        let lines: String =
            (0..900).map(|n| format!("  const a{n} = b{n}.c(d) + !e\n  if (a{n}) f(a{n} < 3)\n")).collect();
        check(&format!("export function main(x) {{\n{lines}}}"), Ok("x"));
    }
}
