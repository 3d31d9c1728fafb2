//! Regular expressions: which ones are searched for in bounded time.
//!
//! Most are handed to an engine whose time is linear. Those with looks around, references back or atomic groups are tried
//! with backtracking, and there a repeat inside a repeat can double the work with every character.

use super::Checked;

/// Bytes of an expression: those of known tokenizers have up to some hundreds.
const MAX_PATTERN: usize = 4096;
/// Groups in groups.
const MAX_GROUPS: usize = 32;
/// Counted repeats.
const MAX_REPEAT: u32 = 1000;

pub(super) fn check(pattern: &str) -> Checked<()> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("has {} bytes; at most {MAX_PATTERN} are read", pattern.len()));
    }
    let mut scan = Scan { rest: pattern, backtracks: false, nested: false, spaced: false };
    // Whether each open group holds a repeat without an end.
    let mut groups = vec![false];
    while let Some(atom) = scan.atom() {
        let repeats = match atom {
            Atom::Open => {
                groups.push(false);
                if groups.len() > MAX_GROUPS {
                    return Err(format!("has more than {MAX_GROUPS} groups in groups"));
                }
                continue;
            }
            Atom::Close => groups.len() > 1 && groups.pop() == Some(true),
            Atom::Other => false,
        };
        let unbounded = scan.quantifier()?;
        scan.nested |= unbounded && repeats;
        if let Some(group) = groups.last_mut() {
            *group |= unbounded || repeats;
        }
    }
    match scan.backtracks && (scan.nested || scan.spaced) {
        true => Err("repeats what repeats already, and needs backtracking: it could search for hours".to_owned()),
        false => Ok(()),
    }
}

enum Atom {
    Open,
    Close,
    Other,
}

struct Scan<'a> {
    rest: &'a str,
    backtracks: bool,
    nested: bool,
    /// Blanks stand for nothing, so what repeats an atom need not stand right behind it.
    spaced: bool,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn atom(&mut self) -> Option<Atom> {
        Some(match self.next()? {
            '\\' => {
                self.backtracks |= matches!(self.next()?, '1'..='9' | 'k' | 'g' | 'K' | 'G');
                Atom::Other
            }
            '[' => {
                self.class();
                Atom::Other
            }
            '(' => {
                let needs = ["?=", "?!", "?<=", "?<!", "?>", "?(", "?P=", "?P>"];
                self.backtracks |= needs.iter().any(|group| self.rest.starts_with(group));
                let flags = self.rest.strip_prefix('?').unwrap_or_default();
                self.spaced |= flags.chars().take_while(|c| c.is_ascii_alphabetic()).any(|c| c == 'x');
                Atom::Open
            }
            ')' => Atom::Close,
            _ => Atom::Other,
        })
    }

    /// The rest of a class in brackets, with those inside it.
    fn class(&mut self) {
        self.eat("^");
        // A bracket in the first place stands for itself.
        self.eat("]");
        let mut depth = 1;
        while depth > 0 {
            match self.next() {
                Some('\\') => drop(self.next()),
                Some('[') => depth += 1,
                Some(']') => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Eats what repeats the last atom: whether it has no end.
    fn quantifier(&mut self) -> Checked<bool> {
        let unbounded = match self.rest.chars().next() {
            Some('*' | '+') => self.next().is_some(),
            Some('?') => self.next().is_none(),
            Some('{') => match self.counted()? {
                Some(unbounded) => unbounded,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        // Lazy ones take the same time; possessive ones need backtracking.
        if !self.eat("?") && self.eat("+") {
            self.backtracks = true;
        }
        Ok(unbounded)
    }

    /// `{n}`, `{n,}`, `{n,m}`, `{,m}`: whether it has no end; nothing where the brace stands for itself.
    fn counted(&mut self) -> Checked<Option<bool>> {
        let Some((inner, rest)) = self.rest[1..].split_once('}') else { return Ok(None) };
        let (low, high) = inner.split_once(',').unwrap_or((inner, inner));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if inner.is_empty() || !digits(low) || !digits(high) {
            return Ok(None);
        }
        for bound in [low, high].into_iter().filter(|bound| !bound.is_empty()) {
            if bound.parse().map_or(true, |n: u32| n > MAX_REPEAT) {
                return Err(format!("repeats {bound} times; at most {MAX_REPEAT} are read"));
            }
        }
        self.rest = rest;
        // Many rounds of a repeat are as bad as endless ones.
        Ok(Some(high.is_empty() || high.parse().is_ok_and(|n: u32| n > 8)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_known_tokenizers_pass() {
        for pattern in [
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\s+(?!\S)|\s+",
            r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|\s*[\r\n]+|\s+(?!\S)|\s+"##,
            r" ?[^(\s|[.,!?…。，、।۔،])]+",
            r" {2,}",
            r"(a+)+b",
            "",
            "a{",
            "{x}",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_could_search_for_hours_is_refused() {
        for pattern in [
            r"(?=(a+)+b)|.",
            r"(a+)+\1",
            r"(?:(?:a*)*x)(?!y)",
            r"((a|b)+c){20}(?<=d)",
            r"(?>(a+)+)b",
            r"(a+)*+b",
            r"([^]a]+)+(?!x)",
            r"(?ix)(a+) +(?!x)",
            r"a{1001}",
            r"a{2,100000}",
            r"a{99999999999}",
        ] {
            assert!(check(pattern).is_err(), "{pattern}");
        }
        assert!(check(&"a".repeat(5000)).is_err());
        assert!(check(&"(".repeat(100)).is_err());
    }
}
