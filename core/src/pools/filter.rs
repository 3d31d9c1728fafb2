//! `pool filter`: which bundles pass an expression over their fields, such as `passes >= 8 and danger_score > 0.1`.
//!
//! - **Values**: numbers, texts in quotes (single or double, `\` before a quote), `true`, `false`, `null`.
//! - **Operators**: `==` (or `=`), `!=`, `<`, `<=`, `>`, `>=`, `in [ … ]`, `not in [ … ]`, `is missing`,
//!   `is not missing`, `and`, `or`, `not`, brackets. `and` binds stronger than `or`. There is no arithmetic.
//! - **Fields**: `bundle_id`, `tier`, `pool`, `danger_score`, `source`, `expansion`, `strength` (`ultra`, `mid`, `low`
//!   by passes), `sense`, `lemma` and `text` of the anchor, `anchor.F`, `positive.F`, `negatives` (their number),
//!   `negatives.within_lemma` (and so on), and any other field of the metadata (`passes`) or of the bundle.
//! - **Missing** and null are one: every comparison with such a field is false, `!=` and `not in` too. What asks for
//!   it says so: `passes is missing`, `passes == null`.
//! - Numbers and texts are never compared with each other: that is a fault of the line, not false.

mod parse;
mod value;

use crate::config::nearest;
use crate::data::{Fault, WholeBundle};
use parse::{Comparison, Expr, Field, Literal, Operand};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use value::Value;

/// The longest expression, in bytes.
pub const MAX_LENGTH: usize = 4096;
/// How deep brackets and `not` may nest.
pub const MAX_DEPTH: usize = 64;
/// Values of a list.
pub const MAX_LIST: usize = 1000;
/// Names of fields that are kept to look for slips.
const MAX_NAMES: usize = 10_000;

/// An expression that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Where, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for FilterError {}

/// An expression, ready to be asked.
#[derive(Clone, Debug)]
pub struct Filter {
    expr: Expr,
    /// The fields it names, by name: the first place, and whether it needs them to be there.
    fields: BTreeMap<String, (Field, bool)>,
}

/// What was met while filtering: which fields were missing, and which there were.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Bundles asked about.
    pub bundles: u64,
    /// Bundles without a field that the expression names, by its name.
    pub missing: BTreeMap<String, u64>,
    /// Names of fields that are not fixed.
    names: BTreeSet<String>,
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and its column.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let expr = parse::parse(text)?;
        let mut fields = BTreeMap::new();
        check(&expr, &mut fields)?;
        Ok(Self { expr, fields })
    }

    /// Whether a bundle passes.
    ///
    /// # Errors
    /// A comparison of a number with a text or the like; the fault names no line yet.
    pub fn accepts(&self, bundle: &WholeBundle, tally: &mut Tally) -> Result<bool, Fault> {
        tally.bundles += 1;
        for (name, (field, _)) in &self.fields {
            if value::of(bundle, &field.path).is_absent() {
                *tally.missing.entry(name.clone()).or_default() += 1;
            }
        }
        for name in bundle.metadata.extra.keys().chain(bundle.extra.keys()) {
            if tally.names.len() < MAX_NAMES && !tally.names.contains(name) {
                tally.names.insert(name.clone());
            }
        }
        holds(&self.expr, bundle)
    }

    /// A field that no bundle had, though the expression compares it: most likely a slip.
    #[must_use]
    pub fn slip(&self, tally: &Tally) -> Option<FilterError> {
        let nowhere = |name: &String| tally.missing.get(name).is_some_and(|n| *n == tally.bundles);
        let (name, (field, _)) = self.fields.iter().find(|(name, (_, needed))| *needed && nowhere(name))?;
        let known = value::NAMES.into_iter().chain(tally.names.iter().map(String::as_str));
        let near = nearest(name, known.filter(|known| known != name));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("none of the {} bundles has a field `{name}`{near}", tally.bundles);
        Some(FilterError { column: field.column, message })
    }
}

/// Refuses what parses and means nothing, and collects fields.
fn check(expr: &Expr, fields: &mut BTreeMap<String, (Field, bool)>) -> Result<(), FilterError> {
    let mut add = |field: &Field, needed: bool| -> Result<(), FilterError> {
        if let Some(message) = value::incomplete(&field.path) {
            return Err(FilterError { column: field.column, message });
        }
        fields.entry(field.name()).or_insert_with(|| (field.clone(), false)).1 |= needed;
        Ok(())
    };
    match expr {
        Expr::Or(parts) | Expr::And(parts) => parts.iter().try_for_each(|part| check(part, fields)),
        Expr::Not(inner) => check(inner, fields),
        Expr::Is { field, .. } => add(field, false),
        Expr::In { value, .. } => match value {
            Operand::Field(field) => add(field, true),
            Operand::Literal(_) => Ok(()),
        },
        Expr::Truth(Operand::Field(field)) => add(field, true),
        Expr::Truth(Operand::Literal(Literal::Truth(_))) => Ok(()),
        Expr::Truth(Operand::Literal(literal)) => {
            let message =
                format!("{} alone is neither true nor false; compare it with something", value::shown(literal));
            Err(FilterError { column: 1, message })
        }
        Expr::Compare { left, how, right } => {
            let null = |o: &Operand| *o == Operand::Literal(Literal::Null);
            let test = null(left) || null(right);
            if test && !matches!(how, Comparison::Equal | Comparison::NotEqual) {
                let message = "null has no order; write `is missing` or `is not missing`".to_owned();
                return Err(FilterError { column: 1, message });
            }
            for operand in [left, right] {
                if let Operand::Field(field) = operand {
                    add(field, !test)?;
                }
            }
            Ok(())
        }
    }
}

fn holds(expr: &Expr, bundle: &WholeBundle) -> Result<bool, Fault> {
    match expr {
        Expr::Or(parts) => {
            for part in parts {
                if holds(part, bundle)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Expr::And(parts) => {
            for part in parts {
                if !holds(part, bundle)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expr::Not(inner) => Ok(!holds(inner, bundle)?),
        Expr::Is { field, present } => Ok(value::of(bundle, &field.path).is_absent() != *present),
        Expr::Truth(operand) => match operand_of(operand, bundle) {
            Value::Truth(truth) => Ok(truth),
            Value::Absent => Ok(false),
            other => Err(fault(operand, format!("is {other}, neither true nor false; compare it with something"))),
        },
        Expr::In { value, list, negated } => {
            let found = operand_of(value, bundle);
            if found.is_absent() {
                return Ok(list.contains(&Literal::Null) && !*negated);
            }
            let mut any = false;
            for literal in list.iter().filter(|l| **l != Literal::Null) {
                let order = found.compare(&Value::literal(literal));
                any |=
                    order.map_err(|()| mismatch(value, &found, &Value::literal(literal)))?.is_some_and(|o| o.is_eq());
            }
            Ok(any != *negated)
        }
        Expr::Compare { left, how, right } => {
            let (a, b) = (operand_of(left, bundle), operand_of(right, bundle));
            let null = |o: &Operand| *o == Operand::Literal(Literal::Null);
            if null(left) || null(right) {
                return Ok((a.is_absent() && b.is_absent()) == (*how == Comparison::Equal));
            }
            if a.is_absent() || b.is_absent() {
                return Ok(false);
            }
            let named = if matches!(left, Operand::Field(_)) { left } else { right };
            let (of, with) = if matches!(left, Operand::Field(_)) { (&a, &b) } else { (&b, &a) };
            let Some(order) = a.compare(&b).map_err(|()| mismatch(named, of, with))? else {
                return match how {
                    Comparison::Equal => Ok(false),
                    Comparison::NotEqual => Ok(true),
                    _ => Err(fault(named, format!("is {of}: true and false have no order"))),
                };
            };
            Ok(match how {
                Comparison::Equal => order.is_eq(),
                Comparison::NotEqual => order.is_ne(),
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
                Comparison::Greater => order.is_gt(),
                Comparison::GreaterOrEqual => order.is_ge(),
            })
        }
    }
}

fn operand_of<'a>(operand: &'a Operand, bundle: &'a WholeBundle) -> Value<'a> {
    match operand {
        Operand::Literal(literal) => Value::literal(literal),
        Operand::Field(field) => value::of(bundle, &field.path),
    }
}

fn fault(operand: &Operand, message: String) -> Fault {
    let field = match operand {
        Operand::Field(field) => Some(field.name()),
        Operand::Literal(_) => None,
    };
    Fault { line: None, field, message }
}

fn mismatch(operand: &Operand, of: &Value<'_>, with: &Value<'_>) -> Fault {
    fault(operand, format!("is {of}, and the filter compares it with {with}"))
}

#[cfg(test)]
mod tests;
