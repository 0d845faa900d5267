//! Finds TypeScript's types, so that they can be stripped.

use oxc_ast::ast::{
    Class, Decorator, FormalParameter, Function, MethodDefinition, Program, PropertyDefinition, TSAsExpression,
    TSEnumDeclaration, TSExportAssignment, TSGlobalDeclaration, TSImportEqualsDeclaration, TSInterfaceDeclaration,
    TSNamespaceDeclaration, TSNonNullExpression, TSSatisfiesExpression, TSTypeAliasDeclaration, TSTypeAnnotation,
    TSTypeAssertion, TSTypeParameterDeclaration, TSTypeParameterInstantiation, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::scope::ScopeFlags;

use crate::expression::SyntaxFault;

/// Returns the spans of all types of a program.
///
/// # Errors
/// The first construct that is more than a type: it has a meaning at run time, but none in JavaScript.
pub(super) fn find_type_spans(content: &str, program: &Program<'_>) -> Result<Vec<Span>, SyntaxFault> {
    let mut types = Types { content, spans: Vec::new(), fault: None };
    types.visit_program(program);
    match types.fault {
        Some((byte, message)) => Err(SyntaxFault::at_byte(content, byte as usize, message)),
        None => Ok(types.spans),
    }
}

struct Types<'c> {
    content: &'c str,
    spans: Vec<Span>,
    fault: Option<(u32, &'static str)>,
}

impl Types<'_> {
    fn blank_span(&mut self, start: u32, end: u32) {
        self.spans.push(Span::new(start, end));
    }

    fn refuse_syntax(&mut self, at: Span, message: &'static str) {
        self.fault.get_or_insert((at.start, message));
    }

    /// Marks a `?` or `!` for removal if nothing else but white space stands between the two positions.
    fn blank_marker(&mut self, start: u32, end: u32, mark: char) {
        let between = &self.content[start as usize..end as usize];
        if let Some(at) = between.find(mark) {
            let at = start + u32::try_from(at).unwrap_or_default();
            self.blank_span(at, at + 1);
        }
    }
}

impl<'a> Visit<'a> for Types<'_> {
    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.blank_span(it.span.start, it.span.end);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.blank_span(it.span.start, it.span.end);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.blank_span(it.span.start, it.span.end);
    }

    fn visit_ts_type_alias_declaration(&mut self, it: &TSTypeAliasDeclaration<'a>) {
        self.blank_span(it.span.start, it.span.end);
    }

    fn visit_ts_interface_declaration(&mut self, it: &TSInterfaceDeclaration<'a>) {
        self.blank_span(it.span.start, it.span.end);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank_span(it.expression.span().end, it.span.end);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank_span(it.expression.span().end, it.span.end);
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        self.blank_span(it.span.start, it.expression.span().start);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank_span(it.span.end - 1, it.span.end);
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        if it.accessibility.is_some() || it.readonly || it.r#override {
            self.refuse_syntax(
                it.span,
                "parameter properties are not supported: assign the property in the constructor",
            );
        }
        if it.optional {
            let end = it.type_annotation.as_ref().map_or(it.span.end, |annotation| annotation.span.start);
            self.blank_marker(it.pattern.span().end, end, '?');
        }
        walk::walk_formal_parameter(self, it);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if it.definite {
            let end = it.type_annotation.as_ref().map_or(it.span.end, |annotation| annotation.span.start);
            self.blank_marker(it.id.span().end, end, '!');
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        // A function without a body: an overload, or a declaration of one that is defined elsewhere.
        if it.body.is_none() {
            self.blank_span(it.span.start, it.span.end);
            return;
        }
        if it.this_param.is_some() {
            self.refuse_syntax(it.span, "a `this` parameter is not supported: remove it");
        }
        walk::walk_function(self, it, flags);
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        if it.r#abstract || it.declare || !it.implements.is_empty() {
            self.refuse_syntax(it.span, "TypeScript modifiers on a class are not supported: remove them");
        }
        walk::walk_class(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.accessibility.is_some() || it.declare || it.readonly || it.r#override || it.optional || it.definite {
            self.refuse_syntax(it.span, "TypeScript modifiers on a property are not supported: remove them");
        }
        walk::walk_property_definition(self, it);
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.accessibility.is_some() || it.r#override || it.optional {
            self.refuse_syntax(it.span, "TypeScript modifiers on a method are not supported: remove them");
        }
        walk::walk_method_definition(self, it);
    }

    fn visit_decorator(&mut self, it: &Decorator<'a>) {
        self.refuse_syntax(it.span, "decorators are not supported: call the function directly");
    }

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        self.refuse_syntax(it.span, "`enum` is not supported, because it is more than a type: use an object");
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        self.refuse_syntax(it.span, "a namespace is not supported, because it is more than a type: use an object");
    }

    fn visit_ts_global_declaration(&mut self, it: &TSGlobalDeclaration<'a>) {
        self.refuse_syntax(it.span, "`declare global` has no effect here: remove it");
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        self.refuse_syntax(
            it.span,
            "`import` is not available: inline code has no modules, network or files; use a node",
        );
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.refuse_syntax(it.span, "`export =` has no effect here: declare `main`");
    }
}
