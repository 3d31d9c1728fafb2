//! Suspected false negatives among accepted bundles, for somebody to look at.

use super::lineups::Candidate;
use super::miner::{Miner, bundle_id};
use crate::data::{Fault, Faults, parse_json, read_lines};
use crate::parallel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};
use std::io::BufRead;

/// Why a negative is suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its text shares at least half of what makes a near-duplicate with the anchor's or the positive's.
    SharedWords,
    /// It is nearer to the anchor than every other event of the anchor's sense.
    NearestOfAll,
    /// A further model does not accept the bundle.
    ModelsDisagree,
}

/// A negative that may be of the anchor's sense after all. Put a verdict in, and `pool merge` drops the bundle or keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suspect {
    /// The bundle.
    pub bundle_id: String,
    /// The negative's event.
    pub negative: String,
    /// Why it is suspected.
    pub reasons: Vec<Reason>,
    /// Cosine of anchor and negative.
    pub similarity: f64,
    /// Cosine of anchor and positive.
    pub positive_similarity: f64,
    /// The anchor's sense.
    pub sense: String,
    /// The negative's sense.
    pub negative_sense: String,
    /// The anchor's text.
    pub anchor_text: String,
    /// The positive's text.
    pub positive_text: String,
    /// The negative's text.
    pub negative_text: String,
    /// For whoever looks: `false_negative` (the bundle is dropped) or `keep`; nothing yet.
    pub verdict: Option<String>,
}

/// The suspects among candidates, in their order, each negative once.
#[must_use]
pub fn suspects(miner: &Miner<'_>, candidates: &[Candidate]) -> Vec<Suspect> {
    parallel::map(candidates.len(), |i| of_candidate(miner, &candidates[i])).into_iter().flatten().collect()
}

fn of_candidate(miner: &Miner<'_>, candidate: &Candidate) -> Vec<Suspect> {
    let (corpus, space) = (miner.corpus, &miner.spaces[0]);
    let groups = &corpus.groups;
    let text = |event: u32| groups.text[event as usize];
    let (anchor, positive) = (candidate.anchor, candidate.positive);
    let own = &groups.by_sense[groups.sense[anchor as usize] as usize];
    let nearest_own = own
        .iter()
        .filter(|e| text(**e) != text(anchor))
        .map(|e| space.similarity(anchor, *e))
        .fold(f64::NEG_INFINITY, f64::max);
    let disagree = candidate.others.iter().any(|p| (*p as usize) < miner.settings.min_passes);
    let most = candidate.negatives.iter().map(|n| space.similarity(anchor, n.0)).fold(f64::NEG_INFINITY, f64::max);
    let half = miner.settings.near_duplicate / 2.0;
    let suspect = |&(event, _): &(u32, _)| {
        let similarity = space.similarity(anchor, event);
        let shared = [anchor, positive].iter().any(|e| corpus.shingles.jaccard(text(*e), text(event)) >= half);
        // Models differ over the bundle; the negative that decides it stands for that.
        let found = [
            (shared, Reason::SharedWords),
            (similarity > nearest_own, Reason::NearestOfAll),
            (disagree && similarity == most, Reason::ModelsDisagree),
        ];
        let reasons: Vec<Reason> = found.into_iter().filter(|f| f.0).map(|f| f.1).collect();
        if reasons.is_empty() {
            return None;
        }
        let [a, p, n] = [anchor, positive, event].map(|e| &corpus.events[e as usize]);
        Some(Suspect {
            bundle_id: bundle_id(candidate),
            negative: n.event_id.clone(),
            reasons,
            similarity,
            positive_similarity: space.similarity(anchor, positive),
            sense: a.sense.clone(),
            negative_sense: n.sense.clone(),
            anchor_text: a.text.clone(),
            positive_text: p.text.clone(),
            negative_text: n.text.clone(),
            verdict: None,
        })
    };
    candidate.negatives.iter().filter_map(suspect).collect()
}

/// A line of a review queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum QueueLine {
    /// A suspect, with what a person added to it.
    Suspect {
        /// The suspect, with its verdict.
        #[serde(flatten)]
        suspect: Box<Suspect>,
        /// Fields that a suspect does not have, such as notes.
        #[serde(flatten)]
        more: Map<String, Value>,
    },
    /// A line of the earlier queue, whose bundle or negative is not suspected any more.
    Earlier(Map<String, Value>),
}

/// How many lines of an earlier queue were carried over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Lines that a person wrote something into.
    pub lines: usize,
    /// Those of them whose bundle or negative is not suspected any more.
    pub gone: usize,
}

/// What a person wrote into a review queue: its lines with a verdict or with fields of their own. An empty file has none.
///
/// # Errors
/// All faults, by line: bad JSON, and lines that are no suspects.
pub fn read_queue(reader: &mut dyn BufRead, source: &str) -> Result<Vec<Map<String, Value>>, Faults> {
    let empty = reader.fill_buf().map_err(|e| Faults::of_file(source, format!("could not be read: {e}")))?.is_empty();
    if empty {
        return Ok(Vec::new());
    }
    let mut written = Vec::new();
    read_lines(reader, source, "suspect", parse_json::<Map<String, Value>>, |_, line| {
        for field in ["bundle_id", "negative"] {
            if !line.get(field).is_some_and(Value::is_string) {
                return Err(Fault {
                    line: None,
                    field: Some(field.to_owned()),
                    message: "is missing, or no text".to_owned(),
                });
            }
        }
        if is_judged(&line) || line.keys().any(|name| !is_field(name)) {
            written.push(line);
        }
        Ok(())
    })?;
    Ok(written)
}

fn is_judged(line: &Map<String, Value>) -> bool {
    match line.get("verdict") {
        None | Some(Value::Null) => false,
        Some(Value::String(verdict)) => !verdict.trim().is_empty(),
        Some(_) => true,
    }
}

/// Whether a suspect has a field of that name.
fn is_field(name: &str) -> bool {
    const FIELDS: [&str; 11] = [
        "bundle_id",
        "negative",
        "reasons",
        "similarity",
        "positive_similarity",
        "sense",
        "negative_sense",
        "anchor_text",
        "positive_text",
        "negative_text",
        "verdict",
    ];
    FIELDS.contains(&name)
}

/// A new queue with what a person wrote into an earlier one: verdicts and notes go to the suspect of the same bundle and
/// negative; lines for which there is none any more come last, as they were.
#[must_use]
pub fn carry_over(suspects: Vec<Suspect>, earlier: Vec<Map<String, Value>>) -> (Vec<QueueLine>, Carried) {
    let key = |line: &Map<String, Value>| {
        let text = |field: &str| line.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("bundle_id"), text("negative"))
    };
    let mut carried = Carried { lines: earlier.len(), gone: 0 };
    let mut by_key: HashMap<(String, String), VecDeque<usize>> = HashMap::new();
    for (number, line) in earlier.iter().enumerate() {
        by_key.entry(key(line)).or_default().push_back(number);
    }
    let mut earlier: Vec<Option<Map<String, Value>>> = earlier.into_iter().map(Some).collect();
    let mut queue = Vec::with_capacity(suspects.len());
    for mut suspect in suspects {
        let same = by_key.get_mut(&(suspect.bundle_id.clone(), suspect.negative.clone()));
        let mut more = same.and_then(VecDeque::pop_front).and_then(|number| earlier[number].take()).unwrap_or_default();
        suspect.verdict = match more.get("verdict") {
            None | Some(Value::Null) => None,
            Some(Value::String(verdict)) => Some(verdict.clone()),
            // No verdict that is read, but somebody's word.
            Some(other) => Some(other.to_string()),
        };
        more.retain(|name, _| !is_field(name));
        queue.push(QueueLine::Suspect { suspect: Box::new(suspect), more });
    }
    let gone = earlier.into_iter().flatten();
    let before = queue.len();
    queue.extend(gone.map(QueueLine::Earlier));
    carried.gone = queue.len() - before;
    (queue, carried)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspect(bundle: &str, negative: &str) -> Suspect {
        let text = str::to_owned;
        Suspect {
            bundle_id: text(bundle),
            negative: text(negative),
            reasons: vec![Reason::SharedWords],
            similarity: 0.5,
            positive_similarity: 0.75,
            sense: text("a"),
            negative_sense: text("b"),
            anchor_text: text("x"),
            positive_text: text("y"),
            negative_text: text("z"),
            verdict: None,
        }
    }

    fn line(bundle: &str, negative: &str, rest: &str) -> String {
        format!(r#"{{"bundle_id":"{bundle}","negative":"{negative}"{rest}}}"#)
    }

    fn read(lines: &[String]) -> Result<Vec<Map<String, Value>>, Faults> {
        read_queue(&mut lines.join("\n").as_bytes(), "queue")
    }

    #[test]
    fn a_new_line_has_only_fields_that_a_suspect_has() {
        let json = serde_json::to_value(suspect("a", "1")).expect("has a JSON form");
        let names: Vec<&String> = json.as_object().expect("an object").keys().collect();
        assert!(names.len() == 11 && names.iter().all(|name| is_field(name)), "{names:?}");
    }

    #[test]
    fn what_a_person_wrote_is_carried_over() {
        let earlier = read(&[
            line("a", "1", r#","verdict":"keep","note":"sure","similarity":9"#),
            line("a", "2", r#","verdict":null"#),
            line("gone", "1", r#","verdict":"false_negative""#),
            line("a", "3", r#","note":"ask""#),
            line("a", "1", r#","verdict":"false_negative""#),
            line("b", "1", r#","verdict":" ""#),
            line("b", "2", r#","verdict":true"#),
        ]);
        let earlier = earlier.expect("reads");
        assert_eq!(earlier.len(), 5, "what nobody touched is not carried");
        let suspects = ["1", "2", "3"].map(|n| suspect("a", n)).into_iter().chain([suspect("b", "2")]).collect();
        let (queue, carried) = carry_over(suspects, earlier);
        assert_eq!(carried, Carried { lines: 5, gone: 2 });
        let json: Vec<Value> = queue.iter().map(|line| serde_json::to_value(line).expect("has a JSON form")).collect();
        let said: Vec<(&Value, &Value)> = json.iter().map(|line| (&line["verdict"], &line["note"])).collect();
        let (keep, wrong) = (Value::from("keep"), Value::from("false_negative"));
        assert_eq!(
            said,
            [
                (&keep, &Value::from("sure")),
                (&Value::Null, &Value::Null),
                (&Value::Null, &Value::from("ask")),
                (&Value::from("true"), &Value::Null),
                (&wrong, &Value::Null),
                (&wrong, &Value::Null),
            ]
        );
        assert_eq!(json[0]["similarity"], 0.5, "of the new mining");
        assert_eq!((&json[4]["bundle_id"], &json[5]["bundle_id"]), (&Value::from("gone"), &Value::from("a")));
        let again = queue.iter().map(|line| serde_json::to_string(line).expect("has a JSON form")).collect::<Vec<_>>();
        assert_eq!(read(&again).expect("reads").len(), 5, "nor lost the next time");
    }

    #[test]
    fn an_empty_queue_has_nothing_and_another_file_is_refused() {
        assert_eq!(read_queue(&mut &b""[..], "queue").expect("reads"), Vec::<Map<String, Value>>::new());
        let faults =
            read(&[line("a", "1", ""), r#"{"bundle_id":"a"}"#.to_owned(), "x".to_owned()]).expect_err("no queue");
        let said = faults.to_string();
        assert!(said.contains("line 2: `negative`") && said.contains("line 3: not JSON"), "{said}");
    }
}
