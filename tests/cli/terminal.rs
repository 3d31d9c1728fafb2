//! What a terminal shows: progress bars and messages that fit its width, text from files that can't steer it, and what is
//! left out with `--quiet`.

use crate::util::Dir;
use serde_json::json;

/// Lines of bundles of tier3 whose ids end in `end`.
fn bundles(count: usize, end: &str) -> String {
    let line = |i: usize| {
        // Words of their own: no text is nearly another.
        let words = |role: &str| ["u", "v", "w"].map(|word| format!("{role}{i}{word}")).join(" ");
        let event = |role: &str, sense: &str| json!({"event_id": format!("{role}{i}{end}"), "sense": sense, "text": words(role)});
        let sense = format!("l#{i}");
        let mut negative = event("n", &format!("l#{i}n"));
        negative["source"] = json!("within_lemma");
        json!({
            "bundle_id": format!("b{i}{end}"), "anchor": event("a", &sense), "positive": event("p", &sense),
            "negatives": [negative],
            "metadata": {"tier": "tier3_adversarial", "source": "tier3_organic_miner", "danger_score": 0.1},
        })
        .to_string()
            + "\n"
    };
    (0..count).map(line).collect()
}

/// Whether nothing in it steers a terminal or hides.
#[track_caller]
fn assert_plain(text: &str) {
    let bad =
        text.chars().find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{2066}' | '\u{200b}'));
    assert_eq!(bad, None, "{text}");
}

const HOSTILE: &str = "\u{1b}]0;TITLE\u{7}\u{1b}[31m\u{9b}2J\u{7f}\u{202e}\u{2066}\u{200b}\nerror: x\t\r";

#[test]
fn ids_steer_no_terminal() {
    let dir = Dir::new();
    dir.file("once.jsonl", &bundles(12, HOSTILE));
    dir.file("twice.jsonl", &bundles(2, HOSTILE).repeat(2));
    let revalidate = ["pool", "revalidate", "--threshold", "0.9", "--bundles", "once.jsonl"];
    let ran = dir.run(&revalidate);
    assert!(ran.ok().contains("]0;TITLE"), "{ran:?}");
    assert_plain(&ran.stdout);
    assert!(!ran.stdout.contains("\nerror: x"), "an id begins a line: {ran:?}");
    let ran = dir.run(&["pool", "stats", "twice.jsonl"]);
    assert!(ran.failed(3).contains("\\u{1b}]0;TITLE\\u{7}"), "{ran:?}");
    assert_plain(&ran.stderr);
    assert!(!ran.stderr.contains("\nerror: x"), "{ran:?}");
    // JSON has escapes of its own, and keeps the value.
    let report = dir.run(&[&revalidate[..], &["--json"]].concat());
    assert_plain(&report.stdout);
    let id = report.json()["pseudo_killers"][0]["bundle_id"].as_str().map(str::to_owned);
    assert!(id.is_some_and(|id| id.ends_with(HOSTILE)), "{report:?}");
    // Copies under other ids are named by a guardrail.
    let line = bundles(1, "");
    let copies = format!("{line}{}", line.replacen('b', HOSTILE_JSON, 1));
    dir.file("copies.jsonl", &copies);
    for format in ["text", "markdown", "junit"] {
        let ran = dir.run(&["guardrail", "check", "--bundles", "copies.jsonl", "--format", format]);
        assert!(ran.stdout.contains("are copies"), "{ran:?}");
        assert_plain(&ran.stdout);
        assert!(format == "text" || !ran.stdout.contains("<img"), "{format}: {ran:?}");
    }
}

/// In place of the first `b` of a bundle's line, which begins `{"bundle_id"`: another id.
const HOSTILE_JSON: &str = "bundle_id\":\"<img src=x>`|\\u001b[2J\\n\\u202e\",\"x";

#[test]
fn paths_steer_no_terminal() {
    let dir = Dir::new();
    let ran = dir.run(&["pool", "stats", "no\u{1b}[2J\nfile"]);
    assert!(ran.failed(1).contains("cannot read no\\u{1b}[2J\\nfile: no such file"), "{ran:?}");
    let ran = dir.run(&["pool", "stats", "--no-\u{1b}[2J"]);
    assert_plain(ran.failed(2));
}

#[test]
fn a_cell_of_any_length_is_printed() {
    let dir = Dir::new();
    dir.file("long.jsonl", &bundles(12, &"s".repeat(70_000)));
    let ran = dir.run(&["pool", "revalidate", "--threshold", "0.9", "--bundles", "long.jsonl"]);
    assert!(ran.ok().contains('…') && ran.stdout.len() < 10_000, "{}", ran.stdout.len());
    let ran = dir.run(&["pool", "revalidate", "--threshold", "0.9", "--bundles", "long.jsonl", "--json"]);
    assert!(ran.ok().contains(&"s".repeat(70_000)), "JSON has the whole id");
}

#[test]
fn quiet_prints_errors_alone() {
    let dir = Dir::new();
    let args = ["config", "validate", "--training.steps", "5"];
    let ran = dir.run(&args);
    assert!(ran.stderr.starts_with("warning: flag --training.steps: `training.warmup_steps`: "), "{ran:?}");
    let ran = dir.run(&[&args[..], &["--quiet"]].concat());
    assert!(!ran.ok().is_empty() && ran.stderr.is_empty(), "{ran:?}");
    let json = dir.run(&[&args[..], &["--quiet", "--json"]].concat()).json();
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1), "the result has it all the same: {json}");
    let ran = dir.run(&["config", "validate", "--quiet", "--training.steps", "x"]);
    assert!(ran.failed(2).starts_with("error: flag --training.steps: "), "{ran:?}");
}

#[test]
fn a_first_training_warns_of_nothing() {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data"]).ok();
    let bundle = ["bundle", "--events", "p/data/events.jsonl", "--output", "p/data/bundles.jsonl"];
    dir.run(&bundle).ok();
    // Few steps, and as often as in a whole run's: the looks at each bundle are what G1 judges.
    let small = [
        "--training.steps",
        "600",
        "--training.batch_size",
        "128",
        "--curriculum.tier_probabilities",
        "[0.4, 0.3, 0.3]",
    ];
    let model = ["--model.embedding_dim", "16", "--model.hidden_dim", "16", "--model.vocab_size", "600"];
    let train = ["train", "--config", "p/crucible.yaml", "--output-dir", "r"];
    let ran = dir.run(&[&train[..], &small, &model].concat());
    ran.ok();
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    let log = dir.read("r/train.log");
    assert!(log.contains("no bundles in organic"), "the log has what the terminal leaves out: {log}");
}

#[cfg(target_os = "linux")]
mod seen {
    use super::*;
    use crate::util::Dir;
    use console::measure_text_width;
    use std::fs::File;
    use std::io::{ErrorKind, Read};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::process::Stdio;

    /// A terminal: what is written to it, as it comes.
    struct Terminal {
        ours: File,
        theirs: Option<OwnedFd>,
    }

    fn size(columns: u16) -> libc::winsize {
        libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
    }

    #[expect(unsafe_code, reason = "the standard library opens no terminals")]
    impl Terminal {
        fn new(columns: u16) -> Self {
            let (mut ours, mut theirs, mut size) = (-1, -1, size(columns));
            // SAFETY: both descriptors are places for one, and the size is whole; the other two may be null.
            let opened = unsafe {
                libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null_mut(), &raw mut size)
            };
            assert_eq!(opened, 0, "a terminal is opened");
            // SAFETY: both were just opened, and nobody else has them.
            let [ours, theirs] = [ours, theirs].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
            Self { ours: ours.into(), theirs: Some(theirs) }
        }

        fn resize(&self, columns: u16) {
            let size = size(columns);
            // SAFETY: the descriptor is open, and the size is whole.
            let set = unsafe { libc::ioctl(self.ours.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
            assert_eq!(set, 0, "the size is set");
        }

        /// Runs the program; `look` sees all that came so far, after each part of it.
        fn run(mut self, dir: &Dir, args: &[&str], mut look: impl FnMut(&Self, &[u8])) -> String {
            let theirs = self.theirs.take().expect("one run");
            let mut child =
                dir.command(args).env("TERM", "xterm").stdout(Stdio::null()).stderr(theirs).spawn().expect("starts");
            let (mut text, mut part) = (Vec::new(), [0; 4096]);
            loop {
                match self.ours.read(&mut part) {
                    Ok(0) => break,
                    Ok(count) => text.extend(&part[..count]),
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    // Nobody holds the other side any more.
                    Err(_) => break,
                }
                look(&self, &text);
            }
            assert!(child.wait().expect("ends").success(), "{}", String::from_utf8_lossy(&text));
            String::from_utf8(text).expect("UTF-8")
        }
    }

    /// What stands on a terminal that lays out its lines anew when its size changes: lines as they were written, however
    /// many rows each takes.
    #[derive(Default)]
    struct Emulated {
        lines: Vec<Vec<char>>,
        at: (usize, usize),
    }

    impl Emulated {
        fn of(text: &str) -> Self {
            let mut this = Self { lines: vec![Vec::new()], at: (0, 0) };
            let mut letters = text.chars();
            while let Some(c) = letters.next() {
                match c {
                    '\r' => this.at.1 = 0,
                    '\n' => {
                        this.at.0 += 1;
                        if this.at.0 == this.lines.len() {
                            this.lines.push(Vec::new());
                        }
                    }
                    '\u{1b}' => {
                        assert_eq!(letters.next(), Some('['), "{text:?}");
                        let code: String = letters.by_ref().take_while_inclusive();
                        this.control(&code);
                    }
                    _ => this.put(c),
                }
            }
            this
        }

        fn control(&mut self, code: &str) {
            let number = code[..code.len() - 1].parse().unwrap_or(1);
            match code.chars().last() {
                Some('A') => self.at.0 = self.at.0.saturating_sub(number),
                Some('J') => {
                    self.lines.truncate(self.at.0 + 1);
                    self.lines[self.at.0].truncate(self.at.1);
                }
                Some('m') => {}
                _ => panic!("what is {code:?}?"),
            }
        }

        fn put(&mut self, c: char) {
            let (line, column) = self.at;
            let line = &mut self.lines[line];
            line.truncate(line.len().max(column));
            if column < line.len() {
                line[column] = c
            } else {
                line.push(c)
            }
            self.at.1 += 1;
        }

        fn text(&self) -> String {
            self.lines.iter().map(|line| line.iter().collect::<String>() + "\n").collect()
        }
    }

    trait TakeWhileInclusive {
        fn take_while_inclusive(&mut self) -> String;
    }

    impl TakeWhileInclusive for std::str::Chars<'_> {
        /// Up to the letter that ends a control sequence.
        fn take_while_inclusive(&mut self) -> String {
            let mut out = String::new();
            for c in self {
                out.push(c);
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
            out
        }
    }

    /// Whether a line is a bar, or what is left of one.
    fn is_bar(line: &str) -> bool {
        let rest = line.trim_start().strip_prefix("training ");
        rest.is_some_and(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_digit())) || line.contains(" s left)")
    }

    /// Bars as they were drawn, each between two line ends or moves of the cursor.
    fn bars(text: &str) -> Vec<&str> {
        let parts = text.split(['\r', '\n', '\u{1b}']).map(|part| part.strip_prefix("[J").unwrap_or(part));
        parts.filter(|part| is_bar(part)).collect()
    }

    #[track_caller]
    fn assert_no_bar_is_left(text: &str) -> String {
        let left = Emulated::of(text).text();
        assert!(!left.lines().any(is_bar), "a bar is left: {left}");
        left
    }

    fn prepared() -> Dir {
        let dir = Dir::new();
        dir.file("b.jsonl", &bundles(60, ""));
        dir.file(
            "crucible.yaml",
            "training: {steps: 2500, batch_size: 64, warmup_steps: 10}\nmodel: {embedding_dim: 16, hidden_dim: 16, vocab_size: 300}\n\
             experiment: {log_every: 1}\ncurriculum: {tier3_ratios: {legacy: 0.1, organic: 0.9, expanded: 0.0}}\n",
        );
        dir
    }

    const TRAIN: [&str; 5] = ["train", "--bundles", "b.jsonl", "--output-dir", "r"];

    fn assert_fits(columns: u16) {
        let dir = prepared();
        let text = Terminal::new(columns).run(&dir, &TRAIN, |_, _| {});
        let bars = bars(&text);
        assert!(bars.len() > 2, "{columns}: bars are drawn: {text:?}");
        for bar in &bars {
            assert!(measure_text_width(bar) < usize::from(columns), "{columns}: {bar:?}");
        }
        assert_eq!(bars.iter().any(|bar| bar.contains("[=")), columns > 60, "{columns}: {bars:?}");
        let left = assert_no_bar_is_left(&text);
        assert!(left.contains("warning: "), "{columns}: what was said stands: {left}");
        for line in left.lines() {
            let longest = line.split_whitespace().map(measure_text_width).max().unwrap_or(0);
            // A word that is longer than a line stays whole.
            let most = usize::from(columns).max(longest + "warning: ".len());
            assert!(measure_text_width(line) <= most, "{columns}: {line:?}");
        }
    }

    #[test]
    fn a_bar_fits_its_terminal_and_leaves_nothing() {
        std::thread::scope(|scope| {
            for columns in [120, 80, 40, 20] {
                scope.spawn(move || assert_fits(columns));
            }
        });
    }

    #[test]
    fn a_bar_follows_the_size_of_its_terminal() {
        let dir = prepared();
        let mut resized = None;
        let text = Terminal::new(120).run(&dir, &TRAIN, |terminal, so_far| {
            let so_far = String::from_utf8_lossy(so_far);
            if resized.is_none() && bars(&so_far).iter().any(|bar| bar.contains("loss")) {
                terminal.resize(50);
                resized = Some(bars(&so_far).len());
            }
        });
        let at = resized.expect("a bar was drawn");
        let (before, after) = (&bars(&text)[..at], &bars(&text)[at..]);
        assert!(before.iter().any(|bar| bar.len() > 60), "{before:?}");
        let narrow = after.iter().filter(|bar| measure_text_width(bar) < 50).count();
        assert!(narrow > 1 && after.len() - narrow <= 2, "all but what was drawn meanwhile: {after:?}");
        assert_no_bar_is_left(&text);
    }

    #[test]
    fn messages_break_between_words() {
        let dir = Dir::new();
        let args = ["config", "validate", "--training.steps", "5"];
        let piped = dir.run(&args).stderr;
        assert_eq!(piped.lines().count(), 1, "a pipe gets whole lines: {piped}");
        let shown = Terminal::new(48).run(&dir, &args, |_, _| {});
        let shown = Emulated::of(&shown).text();
        let lines: Vec<&str> = shown.lines().filter(|line| !line.is_empty()).collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| measure_text_width(line) <= 48), "{shown}");
        assert!(lines[1..].iter().all(|line| line.starts_with("         ")), "below the text: {shown}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&shown), words(&piped), "the same words");
    }
}
