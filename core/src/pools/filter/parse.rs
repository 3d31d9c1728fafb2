//! From text to a tree: words, then an expression by recursive descent.
//!
//! ```text
//! or         = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | test
//! test       = "(" or ")" | field "is" [ "not" ] ( "null" | "missing" )
//!            | value [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value | [ "not" ] "in" list ]
//! list       = "[" [ literal { "," literal } ] "]"
//! value      = literal | field
//! ```

use super::{FilterError, MAX_DEPTH, MAX_LENGTH, MAX_LIST};

/// A value that stands in an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Number(f64),
    Text(String),
    Truth(bool),
    Null,
}

/// A field of a bundle, and where it is named.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// Parts between dots.
    pub(super) path: Vec<String>,
    /// Column, from 1.
    pub(super) column: usize,
}

impl Field {
    pub(super) fn name(&self) -> String {
        self.path.join(".")
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Literal(Literal),
    Field(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Not(Box<Expr>),
    Compare {
        left: Operand,
        how: Comparison,
        right: Operand,
    },
    In {
        value: Operand,
        list: Vec<Literal>,
        negated: bool,
    },
    /// Present with a value other than null, or not.
    Is {
        field: Field,
        present: bool,
    },
    /// A field that is true or false by itself.
    Truth(Operand),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Number(f64),
    Text(String),
    /// An operator or a bracket.
    Mark(&'static str),
}

/// Longer ones first.
const MARKS: [&str; 12] = ["==", "!=", "<=", ">=", "<", ">", "=", "(", ")", "[", "]", ","];
/// Words that are no fields.
const RESERVED: [&str; 9] = ["and", "or", "not", "in", "is", "null", "missing", "true", "false"];

fn error(column: usize, message: impl Into<String>) -> FilterError {
    FilterError { column, message: message.into() }
}

/// Tokens with their columns (from 1, in characters).
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, FilterError> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if let Some(mark) = MARKS.iter().find(|m| rest.starts_with(**m)) {
            (Some(Token::Mark(if *mark == "=" { "==" } else { mark })), mark.len())
        } else if matches!(first, '"' | '\'') {
            let (text, length) = quoted(rest, first).ok_or_else(|| error(column, "this quote is never closed"))?;
            (Some(Token::Text(text)), length)
        } else if first.is_ascii_digit() || matches!(first, '-' | '+' | '.') {
            let length = number_length(rest);
            let number = rest[..length].parse::<f64>().ok().filter(|n| n.is_finite());
            let number = number.ok_or_else(|| error(column, format!("\"{}\" is no number", &rest[..length.max(1)])))?;
            (Some(Token::Number(number)), length)
        } else if first.is_alphabetic() || first == '_' {
            let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
            let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
            (Some(Token::Word(rest[..length].to_owned())), length)
        } else {
            let advice = match first {
                '&' => "; write `and`",
                '|' => "; write `or`",
                '!' => "; write `not`",
                '*' | '/' | '%' => "; there is no arithmetic",
                _ => "",
            };
            return Err(error(column, format!("`{first}` is not known{advice}")));
        };
        out.extend(token.map(|t| (column, t)));
        column += rest[..length].chars().count();
        rest = &rest[length..];
    }
    Ok(out)
}

/// The text between quotes, with `\` before a quote or another `\`, and how many bytes it took.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => out.push(chars.next()?.1),
            c if c == quote => return Some((out, at + c.len_utf8())),
            c => out.push(c),
        }
    }
    None
}

/// Bytes of a number at the start: a sign, digits, a point, an exponent with its sign.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    while let Some(b) = bytes.get(at) {
        let sign = matches!(b, b'-' | b'+') && matches!(bytes[at - 1], b'e' | b'E');
        if !(b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'_') || sign) {
            break;
        }
        at += 1;
    }
    at
}

/// The tree of an expression.
pub(super) fn parse(text: &str) -> Result<Expr, FilterError> {
    if text.len() > MAX_LENGTH {
        return Err(error(1, format!("the expression is {} bytes long; at most {MAX_LENGTH} are read", text.len())));
    }
    let tokens = tokens(text)?;
    let end = text.chars().count() + 1;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, end };
    if tokens.is_empty() {
        return Err(error(1, "the expression is empty; write something like \"passes >= 8\""));
    }
    let expr = parser.or()?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => {
            let what = shown(token);
            Err(error(parser.column(), format!("{what} is left over; is an `and` or an `or` missing before it?")))
        }
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Number(number) => format!("{number}"),
        Token::Text(text) => format!("\"{text}\""),
        Token::Mark(mark) => format!("`{mark}`"),
    }
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    depth: usize,
    /// The column after the last.
    end: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|t| &t.1)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |t| t.0)
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn mark(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Mark(m)) if *m == wanted);
        self.at += usize::from(found);
        found
    }

    fn expected(&self, what: &str) -> FilterError {
        let got = self.peek().map_or_else(|| "the expression ends".to_owned(), |t| format!("got {}", shown(t)));
        error(self.column(), format!("expected {what}, but {got}"))
    }

    fn deeper(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(error(self.column(), format!("nested more than {MAX_DEPTH} deep")));
        }
        Ok(())
    }

    fn or(&mut self) -> Result<Expr, FilterError> {
        self.deeper()?;
        let mut parts = vec![self.and()?];
        while self.word("or") {
            parts.push(self.and()?);
        }
        self.depth -= 1;
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn and(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.not()?];
        while self.word("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
    }

    fn not(&mut self) -> Result<Expr, FilterError> {
        if !self.word("not") {
            return self.test();
        }
        self.deeper()?;
        let inner = self.not()?;
        self.depth -= 1;
        Ok(Expr::Not(Box::new(inner)))
    }

    fn test(&mut self) -> Result<Expr, FilterError> {
        if self.mark("(") {
            let inner = self.or()?;
            return if self.mark(")") { Ok(inner) } else { Err(self.expected("`)`")) };
        }
        let left = self.operand()?;
        if self.word("is") {
            let present = self.word("not");
            let Operand::Field(field) = left else { return Err(self.expected("a field before `is`")) };
            return match self.word("null") || self.word("missing") {
                true => Ok(Expr::Is { field, present }),
                false => Err(self.expected("`null` or `missing` after `is`")),
            };
        }
        let negated = self.word("not");
        if self.word("in") {
            return Ok(Expr::In { value: left, list: self.list()?, negated });
        }
        if negated {
            return Err(self.expected("`in` after `not`"));
        }
        let how = match self.peek() {
            Some(Token::Mark("==")) => Comparison::Equal,
            Some(Token::Mark("!=")) => Comparison::NotEqual,
            Some(Token::Mark("<")) => Comparison::Less,
            Some(Token::Mark("<=")) => Comparison::LessOrEqual,
            Some(Token::Mark(">")) => Comparison::Greater,
            Some(Token::Mark(">=")) => Comparison::GreaterOrEqual,
            _ => return Ok(Expr::Truth(left)),
        };
        self.at += 1;
        let right = self.operand()?;
        if let Some(Token::Mark("==" | "!=" | "<" | "<=" | ">" | ">=")) = self.peek() {
            return Err(error(self.column(), "comparisons don't chain; join two with `and`"));
        }
        Ok(Expr::Compare { left, how, right })
    }

    fn operand(&mut self) -> Result<Operand, FilterError> {
        let column = self.column();
        if let Some(Token::Word(word)) = self.peek()
            && !RESERVED.iter().any(|r| r.eq_ignore_ascii_case(word))
        {
            self.at += 1;
            let path: Vec<String> = word.split('.').map(str::to_owned).collect();
            return match path.iter().any(String::is_empty) {
                true => Err(error(column, format!("`{word}` is no field: a name is missing beside a dot"))),
                false => Ok(Operand::Field(Field { path, column })),
            };
        }
        self.literal().map(Operand::Literal).map_err(|_| self.expected("a field or a value"))
    }

    fn literal(&mut self) -> Result<Literal, FilterError> {
        let literal = match self.peek() {
            Some(Token::Number(number)) => Literal::Number(*number),
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => Literal::Truth(true),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => Literal::Truth(false),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => Literal::Null,
            _ => return Err(self.expected("a number, a text in quotes, true, false or null")),
        };
        self.at += 1;
        Ok(literal)
    }

    fn list(&mut self) -> Result<Vec<Literal>, FilterError> {
        if !self.mark("[") {
            return Err(self.expected("`[` after `in`"));
        }
        let mut list = Vec::new();
        while !self.mark("]") {
            if list.len() == MAX_LIST {
                return Err(error(self.column(), format!("the list holds more than {MAX_LIST} values")));
            }
            list.push(self.literal()?);
            if !self.mark(",") {
                if !self.mark("]") {
                    return Err(self.expected("`,` or `]`"));
                }
                break;
            }
        }
        Ok(list)
    }
}
