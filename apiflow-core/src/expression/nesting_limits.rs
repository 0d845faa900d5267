//! Limits that keep the recursion of parsers within their stack.

use super::token::{Kind, Token, split_tokens};
use super::{MAX_INLINE_BYTES, MAX_SOURCE_BYTES, SyntaxFault};

/// Maximum nesting depth of brackets, including template placeholders.
pub(crate) const MAX_DEPTH: usize = 48;

/// Maximum number of open tokens that contain what follows them (unary operators, arrows, `?:`, assignments, `**`,
/// `new`, labels, statement bodies without braces).
pub(crate) const MAX_PREFIX: usize = 128;

/// Maximum number of links (operators, member accesses, calls, commas) in the chains that are open at the same time.
pub(crate) const MAX_CHAIN: usize = 1024;

/// Maximum number of `<` in a statement of a module: each may begin type arguments, which nest.
pub(super) const MAX_ANGLES: usize = 96;

/// Maximum number of groups and classes in a regular expression.
pub(crate) const MAX_REGEX_GROUPS: usize = 64;

/// Words that contain the statement or operand after them.
const PREFIX_WORDS: [&str; 14] = [
    "typeof", "void", "delete", "await", "yield", "new", "if", "for", "while", "do", "with", "extends", "throw",
    "return",
];

/// Words that contain the type after them.
const TYPE_WORDS: [&str; 7] = ["keyof", "readonly", "unique", "infer", "asserts", "is", "abstract"];

/// Words that cannot end a statement, so that the next line continues it.
const NOT_LAST: [&str; 12] = [
    "else",
    "in",
    "of",
    "instanceof",
    "case",
    "default",
    "as",
    "satisfies",
    "implements",
    "try",
    "finally",
    "function",
];

/// Words that cannot begin a statement, so that they continue the line before.
const NOT_FIRST: [&str; 9] = ["in", "of", "instanceof", "as", "satisfies", "else", "extends", "implements", "is"];

/// Operators that contain their right operand.
const PREFIX_OPERATORS: [&str; 23] = [
    "!", "~", "=>", "?", ":", "=", "**", "++", "--", "...", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", ">>>=",
    "&=", "|=", "^=", "&&=",
];

/// Refuses a source that is too long or could nest too deeply for a parser, in one pass over its tokens.
///
/// Also refuses unbalanced brackets and unterminated strings, so that no source can escape the function that
/// [`super::wrap_expression`] puts it into.
pub fn check_source_nesting(source: &str) -> Result<(), SyntaxFault> {
    scan_tokens(source).map(drop)
}

/// Returns the tokens of an accepted source.
pub(super) fn scan_tokens(source: &str) -> Result<Vec<Token<'_>>, SyntaxFault> {
    if source.len() > MAX_SOURCE_BYTES {
        let message = format!("the expression has {} bytes; the limit is {MAX_SOURCE_BYTES}", source.len());
        return Err(SyntaxFault { message, span: None });
    }
    let tokens = split_tokens(source)?;
    check_nesting(source, &tokens, NestingCounter::default())?;
    Ok(tokens)
}

/// Refuses inline code that is too long or could nest too deeply for a parser, as [`check_source_nesting`] does.
pub fn scan_code(source: &str) -> Result<(), SyntaxFault> {
    scanned_module(source).map(drop)
}

/// Returns the tokens of an accepted module.
///
/// Statements of modules may end at a line end, and types nest by angle brackets and words.
fn scanned_module(source: &str) -> Result<Vec<Token<'_>>, SyntaxFault> {
    if source.len() > MAX_INLINE_BYTES {
        let message = format!("the code has {} bytes; the limit is {MAX_INLINE_BYTES}", source.len());
        return Err(SyntaxFault { message, span: None });
    }
    let tokens = split_tokens(source)?;
    check_nesting(source, &tokens, NestingCounter { module: true, ..NestingCounter::default() })?;
    Ok(tokens)
}

fn check_nesting(source: &str, tokens: &[Token<'_>], mut nesting: NestingCounter) -> Result<(), SyntaxFault> {
    let mut before: Option<&Token<'_>> = None;
    for token in tokens {
        if nesting.module
            && before.is_some_and(|before| {
                source[before.byte_range().end..token.start].contains('\n') && nesting.ends_statement(before, token)
            })
        {
            nesting.end_part(true);
        }
        nesting.take_token(before, token).map_err(|message| SyntaxFault::at_byte(source, token.start, message))?;
        before = Some(token);
    }
    Ok(())
}

/// What is open within one bracket.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    prefix: usize,
    links: usize,
    commas: usize,
    /// Number of `<`, each of which may begin type arguments.
    angles: usize,
    list: bool,
    /// Whether the bracket contains the condition of a statement.
    condition: bool,
}

/// Counts what is open at a position of the source; the counters are sums over all levels.
#[derive(Debug)]
struct NestingCounter {
    levels: Vec<Level>,
    prefix: usize,
    chain: usize,
    elses: usize,
    angles: usize,
    /// Whether the bracket closed last contained the condition of a statement.
    closed_condition: bool,
    /// Whether the source is a module, with types.
    module: bool,
}

impl Default for NestingCounter {
    fn default() -> Self {
        let levels = vec![Level::default()];
        Self { levels, prefix: 0, chain: 0, elses: 0, angles: 0, closed_condition: false, module: false }
    }
}

impl NestingCounter {
    fn take_token(&mut self, before: Option<&Token<'_>>, token: &Token<'_>) -> Result<(), String> {
        match token.kind {
            Kind::Number | Kind::String => {}
            Kind::Regex => check_regex(token.text)?,
            Kind::Template => self.count_link(),
            Kind::TemplateHead => self.open(false),
            Kind::TemplateMiddle => self.end_part(true),
            Kind::TemplateTail => self.close(),
            Kind::Word => self.take_word(before, token.text),
            Kind::Punctuator => self.take_punctuator(before, token.text),
        }
        self.check_limits()
    }

    fn take_word(&mut self, before: Option<&Token<'_>>, word: &str) {
        if before.is_some_and(Token::is_dot) {
            return;
        }
        match word {
            "else" => self.elses += 1,
            "in" | "of" | "instanceof" => self.count_link(),
            _ if PREFIX_WORDS.contains(&word) => self.count_prefix(),
            _ if self.module && TYPE_WORDS.contains(&word) => self.count_prefix(),
            _ => {}
        }
    }

    /// Returns whether a statement ends at the line end between two tokens: the first can end an operand, and the
    /// second cannot continue it.
    fn ends_statement(&self, before: &Token<'_>, after: &Token<'_>) -> bool {
        let ended = match before.kind {
            Kind::Word => {
                !NOT_LAST.contains(&before.text) && ends_operand(before) && !TYPE_WORDS.contains(&before.text)
            }
            Kind::Punctuator => match before.text {
                ")" => !self.closed_condition,
                "]" | "}" => true,
                _ => false,
            },
            Kind::Number | Kind::String | Kind::Regex | Kind::Template | Kind::TemplateTail => true,
            Kind::TemplateHead | Kind::TemplateMiddle => false,
        };
        ended && after.kind == Kind::Word && !NOT_FIRST.contains(&after.text)
    }

    fn take_punctuator(&mut self, before: Option<&Token<'_>>, text: &str) {
        match text {
            "(" => {
                let condition =
                    before.is_some_and(|before| ["if", "while", "for", "with", "await"].contains(&before.text));
                self.open(false);
                self.current_level().condition = condition;
            }
            "{" => self.open(false),
            "[" => self.open(true),
            "<" if self.module => {
                self.current_level().angles += 1;
                self.angles += 1;
            }
            ")" | "]" | "}" => self.close(),
            ";" => self.end_part(true),
            "," => self.end_part(false),
            "+" | "-" if !before.is_some_and(ends_operand) => self.count_prefix(),
            "||=" | "??=" => self.count_prefix(),
            _ if PREFIX_OPERATORS.contains(&text) => self.count_prefix(),
            _ => self.count_link(),
        }
    }

    fn current_level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the outermost level is never closed: the brackets are balanced")
    }

    fn count_prefix(&mut self) {
        self.current_level().prefix += 1;
        self.prefix += 1;
    }

    fn count_link(&mut self) {
        self.current_level().links += 1;
        self.chain += 1;
    }

    fn open(&mut self, list: bool) {
        self.count_link();
        self.levels.push(Level { list, ..Level::default() });
    }

    fn close(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.prefix -= level.prefix;
            self.chain -= level.links + level.commas;
            self.angles -= level.angles;
            self.closed_condition = level.condition;
        }
    }

    /// Handles a comma or semicolon, after which the open operators no longer apply. Commas outside of lists form a
    /// chain of their own, which a semicolon ends.
    fn end_part(&mut self, statement: bool) {
        let level = self.current_level();
        let (prefix, links, commas) = (level.prefix, level.links, level.commas);
        let chained = usize::from(!statement && !level.list);
        let kept = if statement { 0 } else { commas };
        let angles = if statement { std::mem::take(&mut level.angles) } else { 0 };
        *level = Level { prefix: 0, links: 0, commas: kept + chained, ..*level };
        self.angles -= angles;
        self.prefix -= prefix;
        self.chain = self.chain + kept + chained - links - commas;
    }

    fn check_limits(&self) -> Result<(), String> {
        let advice = "split the expression into several steps or statements";
        if self.levels.len() > MAX_DEPTH + 1 {
            Err(format!("brackets are nested deeper than {MAX_DEPTH} levels: {advice}"))
        } else if self.prefix > MAX_PREFIX || self.elses > MAX_PREFIX {
            Err(format!("more than {MAX_PREFIX} nested operators or statements: {advice}"))
        } else if self.angles > MAX_ANGLES {
            Err(format!("more than {MAX_ANGLES} `<` in one statement: {advice}"))
        } else if self.chain > MAX_CHAIN {
            Err(format!("more than {MAX_CHAIN} operators or calls in one chain: {advice}"))
        } else {
            Ok(())
        }
    }
}

/// Returns whether the token ends an operand, so that a following `+` or `-` is binary.
fn ends_operand(token: &Token<'_>) -> bool {
    match token.kind {
        Kind::Word => !PREFIX_WORDS.contains(&token.text),
        Kind::Number | Kind::String | Kind::Regex | Kind::Template | Kind::TemplateTail => true,
        Kind::TemplateHead | Kind::TemplateMiddle => false,
        Kind::Punctuator => matches!(token.text, ")" | "]" | "}"),
    }
}

fn check_regex(text: &str) -> Result<(), String> {
    let groups = text.matches(['(', '[']).count();
    if groups > MAX_REGEX_GROUPS {
        return Err(format!("the regular expression has {groups} groups and classes; the limit is {MAX_REGEX_GROUPS}"));
    }
    Ok(())
}
