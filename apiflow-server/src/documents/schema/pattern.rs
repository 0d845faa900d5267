//! Translates JavaScript patterns without the `u` flag to the syntax of a linear-time engine.
//!
//! Schemas are often written for browsers, which accept `[\w-+.]`, `\@` and a literal `{`. Patterns that need more than a
//! linear search (lookarounds, backreferences) have no translation. Source: ECMA-262, annex B.1.2.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// Maximum number of states of one pattern.
pub(super) const MAX_STATES: u64 = 50_000;

/// Maximum nesting depth of groups.
const MAX_NESTING: usize = 50;

/// A pattern that can be matched in linear time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinearPattern {
    /// The pattern in strict syntax.
    pub(super) text: String,
    /// Its approximate number of states.
    pub(super) states: u64,
}

/// Translates a pattern.
///
/// # Errors
/// The reason why it has no translation, for humans.
pub(super) fn translate_pattern(pattern: &str) -> Result<LinearPattern, String> {
    let mut translator = Translator { rest: pattern.chars().peekable(), text: String::new(), nesting: 0 };
    let states = translator.read_alternatives()?;
    if translator.rest.next().is_some() {
        return Err("it has a `)` without a `(`".to_owned());
    }
    if states > MAX_STATES {
        return Err(format!("its repetitions make it larger than {MAX_STATES} states"));
    }
    Ok(LinearPattern { text: translator.text, states })
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    text: String,
    nesting: usize,
}

/// One element of a class of characters.
enum ClassItem {
    Char(char),
    /// A set such as `\d`, as it is written, and its states.
    Set(String, u64),
}

const LOOKAROUND: &str = "it looks around (`(?=`, `(?!`, `(?<=`, `(?<!`)";
const BACKREFERENCE: &str = "it refers back to a group";

impl Translator<'_> {
    /// Reads to the end, or to a `)`; returns the number of states.
    fn read_alternatives(&mut self) -> Result<u64, String> {
        let mut states = 1_u64;
        loop {
            match self.rest.peek() {
                None | Some(')') => return Ok(states),
                Some('|') => {
                    self.rest.next();
                    self.text.push('|');
                }
                Some(_) => states = states.saturating_add(self.read_term()?),
            }
        }
    }

    fn read_term(&mut self) -> Result<u64, String> {
        let begin = self.text.len();
        let Some(first) = self.rest.next() else { return Ok(0) };
        let (states, repeatable) = match first {
            '^' | '$' => {
                self.text.push(first);
                (1, false)
            }
            '(' => (self.read_group()?, true),
            '[' => (self.read_class()?, true),
            '.' => {
                self.text.push('.');
                (8, true)
            }
            '\\' => self.read_escape()?,
            '*' | '+' | '?' => return Err(format!("nothing stands before its `{first}`")),
            other => {
                push_literal(&mut self.text, other);
                (1, true)
            }
        };
        let times = self.read_quantifier(repeatable && self.text.len() > begin)?;
        Ok(states.saturating_mul(times))
    }

    /// A group; its `(` has been read.
    fn read_group(&mut self) -> Result<u64, String> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(format!("it nests groups deeper than {MAX_NESTING}"));
        }
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next() {
                Some(':') => {}
                Some('=' | '!') => return Err(LOOKAROUND.to_owned()),
                Some('<') => match self.rest.next() {
                    Some('=' | '!') => return Err(LOOKAROUND.to_owned()),
                    _ => self.rest.by_ref().take_while(|next| *next != '>').for_each(drop),
                },
                _ => return Err("it has a group that JavaScript does not know".to_owned()),
            }
        }
        self.text.push_str("(?:");
        let states = self.read_alternatives()?;
        if self.rest.next() != Some(')') {
            return Err("it has a `(` without a `)`".to_owned());
        }
        self.text.push(')');
        self.nesting -= 1;
        Ok(states)
    }

    /// Reads what follows a term; returns how often the term counts.
    fn read_quantifier(&mut self, repeatable: bool) -> Result<u64, String> {
        let times = match self.rest.peek() {
            Some(sign @ ('*' | '+' | '?')) if repeatable => {
                self.text.push(*sign);
                self.rest.next();
                2
            }
            Some('{') => match read_braces(self.rest.clone()) {
                Some((written, times)) if repeatable => {
                    self.rest.by_ref().take(written.len()).for_each(drop);
                    self.text.push_str(&written);
                    times
                }
                Some(_) => return Err("nothing stands before its `{…}`".to_owned()),
                None => return Ok(1),
            },
            Some(_) | None => return Ok(1),
        };
        if self.rest.next_if_eq(&'?').is_some() {
            self.text.push('?');
        }
        Ok(times)
    }

    /// Reads an escape outside a class after its backslash. Returns its states and whether it can be repeated.
    fn read_escape(&mut self) -> Result<(u64, bool), String> {
        match self.rest.peek() {
            Some(border @ ('b' | 'B')) => {
                let _ = write!(self.text, "\\{border}");
                self.rest.next();
                Ok((1, false))
            }
            Some('1'..='9') => Err(BACKREFERENCE.to_owned()),
            Some('k') => Err(BACKREFERENCE.to_owned()),
            Some(_) => match self.escaped_item()? {
                ClassItem::Char(letter) => {
                    push_literal(&mut self.text, letter);
                    Ok((1, true))
                }
                ClassItem::Set(set, states) => {
                    self.text.push_str(&set);
                    Ok((states, true))
                }
            },
            None => Err("it ends in a backslash".to_owned()),
        }
    }

    /// Returns the meaning of an escape that is the same inside and outside a class.
    fn escaped_item(&mut self) -> Result<ClassItem, String> {
        let Some(letter) = self.rest.next() else { return Err("it ends in a backslash".to_owned()) };
        let set = |states| Ok(ClassItem::Set(format!("\\{letter}"), states));
        let code = match letter {
            'd' => return set(1),
            'w' => return set(4),
            's' | 'D' | 'W' | 'S' => return set(16),
            't' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            '0' => '\0',
            'c' => match self.rest.next_if(char::is_ascii_alphabetic) {
                Some(control) => char::from(control as u8 % 32),
                None => return Ok(ClassItem::Char('c')),
            },
            'x' => self.read_hex(2)?.unwrap_or('x'),
            'u' => self.read_unicode()?,
            'p' | 'P' if self.rest.peek() == Some(&'{') => {
                let name: String = self.rest.by_ref().skip(1).take_while(|next| *next != '}').collect();
                return Ok(ClassItem::Set(format!("\\{letter}{{{name}}}"), 300));
            }
            other => other,
        };
        Ok(ClassItem::Char(code))
    }

    /// Reads a character by its code of a number of digits; returns nothing if they are not digits.
    fn read_hex(&mut self, digits: usize) -> Result<Option<char>, String> {
        let text: String = self.rest.clone().take(digits).collect();
        if text.chars().count() != digits || !text.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(None);
        }
        self.rest.by_ref().take(digits).for_each(drop);
        let code = u32::from_str_radix(&text, 16).map_err(|error| error.to_string())?;
        char::from_u32(code).map(Some).ok_or_else(|| "it has half of a surrogate pair".to_owned())
    }

    /// Reads the rest of `\u`: `\uHHHH`, a surrogate pair, or `\u{…}`.
    fn read_unicode(&mut self) -> Result<char, String> {
        if self.rest.peek() == Some(&'{') {
            let text: String = self.rest.by_ref().skip(1).take_while(|next| *next != '}').collect();
            let code = u32::from_str_radix(&text, 16).ok().and_then(char::from_u32);
            return code.ok_or_else(|| format!("`\\u{{{text}}}` is no character"));
        }
        let digits: String = self.rest.clone().take(10).collect();
        let unit = |text: Option<&str>| text.and_then(|text| u16::from_str_radix(text, 16).ok());
        let first = unit(digits.get(..4));
        let second = unit(digits.get(4..).and_then(|rest| rest.strip_prefix("\\u")));
        if let (Some(high @ 0xD800..=0xDBFF), Some(low)) = (first, second)
            && let Some(Ok(letter)) = char::decode_utf16([high, low]).next()
        {
            self.rest.by_ref().take(10).for_each(drop);
            return Ok(letter);
        }
        Ok(self.read_hex(4)?.unwrap_or('u'))
    }

    /// Reads a class of characters after its `[`.
    fn read_class(&mut self) -> Result<u64, String> {
        let is_negated = self.rest.next_if_eq(&'^').is_some();
        if self.rest.next_if_eq(&']').is_some() {
            // Nothing, and anything.
            self.text.push_str(if is_negated { "[\\s\\S]" } else { "[^\\s\\S]" });
            return Ok(8);
        }
        self.text.push_str(if is_negated { "[^" } else { "[" });
        let mut states = if is_negated { 16_u64 } else { 1 };
        while let Some(item) = self.class_item()? {
            let is_range = self.rest.peek() == Some(&'-') && self.rest.clone().nth(1).is_some_and(|next| next != ']');
            let end = if is_range {
                self.rest.next();
                self.class_item()?
            } else {
                None
            };
            match (item, end) {
                (ClassItem::Char(low), Some(ClassItem::Char(high))) if low <= high => {
                    push_in_class(&mut self.text, low);
                    self.text.push('-');
                    push_in_class(&mut self.text, high);
                    states = states.saturating_add(if high.is_ascii() { 1 } else { 16 });
                }
                (ClassItem::Char(low), Some(ClassItem::Char(high))) => {
                    return Err(format!("its range `{low}-{high}` is out of order"));
                }
                (item, end) => {
                    states = states.saturating_add(self.push_item(&item));
                    if let Some(end) = end {
                        // A set has no range: the hyphen is literal.
                        self.text.push_str("\\-");
                        states = states.saturating_add(self.push_item(&end));
                    }
                }
            }
        }
        self.text.push(']');
        Ok(states)
    }

    fn push_item(&mut self, item: &ClassItem) -> u64 {
        match item {
            ClassItem::Char(letter) => {
                push_in_class(&mut self.text, *letter);
                u64::from(!letter.is_ascii())
            }
            ClassItem::Set(set, states) => {
                self.text.push_str(set);
                *states
            }
        }
    }

    /// Reads the next element of a class; returns nothing at its end.
    fn class_item(&mut self) -> Result<Option<ClassItem>, String> {
        match self.rest.next() {
            None => Err("it has a `[` without a `]`".to_owned()),
            Some(']') => Ok(None),
            Some('\\') => match self.rest.next_if_eq(&'b') {
                Some(_) => Ok(Some(ClassItem::Char('\u{8}'))),
                None => self.escaped_item().map(Some),
            },
            Some(letter) => Ok(Some(ClassItem::Char(letter))),
        }
    }
}

/// Reads a `{n}`, `{n,}` or `{n,m}` at the start of a text, and how often it repeats; anything else is literal.
fn read_braces(mut rest: Peekable<Chars<'_>>) -> Option<(String, u64)> {
    rest.next_if_eq(&'{')?;
    let inner: String = rest.by_ref().take_while(|next| *next != '}').take(24).collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    let times = match inner.split_once(',') {
        None if is_number(&inner) => number(&inner),
        Some((least, "")) if is_number(least) => number(least).saturating_add(1),
        Some((least, most)) if is_number(least) && is_number(most) => number(most),
        None | Some(_) => return None,
    };
    Some((format!("{{{inner}}}"), times.max(1)))
}

fn push_literal(text: &mut String, letter: char) {
    if letter.is_control() {
        let _ = write!(text, "\\x{:02x}", u32::from(letter).min(0xff));
        return;
    }
    if matches!(letter, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' | '/') {
        text.push('\\');
    }
    text.push(letter);
}

fn push_in_class(text: &mut String, letter: char) {
    if letter.is_ascii_control() {
        let _ = write!(text, "\\x{:02x}", u32::from(letter));
        return;
    }
    if matches!(letter, '\\' | '[' | ']' | '^' | '-' | '&' | '~') {
        text.push('\\');
    }
    text.push(letter);
}
