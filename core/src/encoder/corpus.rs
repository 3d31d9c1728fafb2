//! Events as numbers: token ids, and where the target word stands among them.
//!
//! Many events share a text, differing in the target word only. Each distinct text is tokenised once and its ids are
//! kept once; an event is a window into them.

use super::{EncoderError, StaticEncoder, Tokenizer, Tokens};
use crate::data::Event;
use crate::embeddings::Embeddings;
use crate::kernels::pool_weights;
use crate::parallel;
use std::collections::HashMap;
use std::ops::Range;

/// Texts that are tokenised together.
const BLOCK: usize = 64;
/// In place of a span that is not there.
const NONE: u32 = u32::MAX;

/// One event: `len` ids from `first`, and the target word among them.
#[derive(Clone, Copy)]
struct Item {
    text: u32,
    first: u32,
    len: u32,
    span: (u32, u32),
}

/// The tokens of events, or their ready vectors.
#[derive(Default)]
pub struct Corpus {
    window: usize,
    ids: Vec<u32>,
    items: Vec<Item>,
    texts: usize,
    /// `[events, dim]`, of unit length: each event's one token is its row here.
    ready: Option<Embeddings>,
}

/// Appends the tokens of a text; where it appends no offsets, spans are not looked for.
type Encode<'a> = dyn Fn(&str, &mut Tokens) -> Result<(), EncoderError> + Sync + Send + 'a;

/// A corpus that is still growing: events can be asked for as soon as they were added.
pub struct CorpusBuilder<'a> {
    encode: Box<Encode<'a>>,
    max_tokens: usize,
    numbers: HashMap<&'a str, u32>,
    /// Of each text its first token, and behind the last text the number of tokens.
    starts: Vec<u32>,
    /// Of each token the bytes of its text.
    offsets: Vec<(u32, u32)>,
    corpus: Corpus,
}

impl<'a> CorpusBuilder<'a> {
    /// Without events yet. `window` is the model's `span_window`; of a text of more than `max_tokens`, those around the
    /// target word are used, or the first ones where no word is marked.
    #[must_use]
    pub fn new(tokenizer: &'a Tokenizer, window: usize, max_tokens: usize) -> Self {
        let encode = Box::new(|text: &str, tokens: &mut Tokens| tokenizer.encode_onto(text, tokens));
        let corpus = Corpus { window, ..Corpus::default() };
        Self { encode, max_tokens, numbers: HashMap::new(), starts: vec![0], offsets: Vec::new(), corpus }
    }

    /// By `encode`; no text is cut, and there are no target words.
    pub(super) fn by(encode: impl Fn(&str, &mut Tokens) -> Result<(), EncoderError> + Sync + Send + 'a) -> Self {
        let (encode, corpus) = (Box::new(encode), Corpus::default());
        Self { encode, max_tokens: usize::MAX, numbers: HashMap::new(), starts: vec![0], offsets: Vec::new(), corpus }
    }

    /// Of ready vectors of `dim` numbers, the events' own `embedding`s: an event is one token, whatever its text.
    #[must_use]
    pub fn of_ready(dim: usize) -> Self {
        let mut builder = Self::by(|_, _| Ok(()));
        builder.corpus.ready = Some(Embeddings { dim, ..Embeddings::default() });
        builder
    }

    /// Tokenises events and puts them behind those that are there.
    ///
    /// # Errors
    /// When a text cannot be tokenised, an event has no ready vector of the right length where that is what counts, or there
    /// are 2³² texts or tokens; the corpus is of no use then.
    pub fn extend(&mut self, events: &'a [Event]) -> Result<(), EncoderError> {
        if self.corpus.ready.is_some() {
            return self.extend_ready(events);
        }
        let mut texts: Vec<&str> = Vec::new();
        let mut text_of = Vec::with_capacity(events.len());
        for event in events {
            let next = counted(self.corpus.texts + texts.len(), "texts")?;
            let number = *self.numbers.entry(&event.text).or_insert(next);
            if number == next {
                texts.push(&event.text);
            }
            text_of.push(number);
        }
        let blocks = parallel::map(texts.len().div_ceil(BLOCK), |block| {
            let mut tokens = Tokens::default();
            let mut ends = Vec::with_capacity(BLOCK);
            for text in texts.iter().skip(block * BLOCK).take(BLOCK) {
                (self.encode)(text, &mut tokens)?;
                ends.push(tokens.ids.len());
            }
            Ok((tokens, ends))
        });
        for block in blocks {
            let (tokens, ends) = block?;
            for end in ends {
                self.starts.push(counted(self.corpus.ids.len() + end, "tokens")?);
            }
            self.corpus.ids.extend(tokens.ids);
            self.offsets.extend(tokens.offsets);
        }
        self.corpus.texts += texts.len();

        let items = parallel::map(events.len(), |i| {
            let text = text_of[i];
            let (first, end) = (self.starts[text as usize], self.starts[text as usize + 1]);
            let span = events[i].span.and_then(|span| {
                let bytes = byte_span(&events[i].text, span)?;
                token_span(self.offsets.get(first as usize..end as usize)?, bytes)
            });
            cut(Item { text, first, len: end - first, span: span.unwrap_or((NONE, NONE)) }, self.max_tokens)
        });
        self.corpus.items.extend(items);
        Ok(())
    }

    fn extend_ready(&mut self, events: &'a [Event]) -> Result<(), EncoderError> {
        let Some(Embeddings { dim, vectors, norms }) = &mut self.corpus.ready else { return Ok(()) };
        let mut new = Vec::with_capacity(events.len() * *dim);
        for event in events {
            let vector = event.embedding.as_deref();
            let vector = vector.ok_or_else(|| EncoderError::NoVector { event_id: event.event_id.clone() })?;
            if vector.len() != *dim {
                let event_id = event.event_id.clone();
                return Err(EncoderError::VectorWidth { event_id, found: vector.len(), expected: *dim });
            }
            new.extend_from_slice(vector);
            let next = counted(self.numbers.len(), "texts")?;
            let text = *self.numbers.entry(event.text.as_str()).or_insert(next);
            let first = counted(self.corpus.items.len(), "events")?;
            self.corpus.items.push(Item { text, first, len: 1, span: (NONE, NONE) });
            self.corpus.ids.push(first);
        }
        let new = Embeddings::normalised(*dim, new);
        vectors.extend(new.vectors);
        norms.extend(new.norms);
        self.corpus.texts = self.numbers.len();
        Ok(())
    }

    /// What is there so far.
    #[must_use]
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// All of it.
    #[must_use]
    pub fn finish(mut self) -> Corpus {
        self.corpus.ids.shrink_to_fit();
        self.corpus
    }
}

impl Corpus {
    /// Tokenises the events, as [`CorpusBuilder`] does.
    ///
    /// # Errors
    /// As [`CorpusBuilder::extend`].
    pub fn build(
        tokenizer: &Tokenizer,
        events: &[Event],
        window: usize,
        max_tokens: usize,
    ) -> Result<Self, EncoderError> {
        let mut builder = CorpusBuilder::new(tokenizer, window, max_tokens);
        builder.extend(events)?;
        Ok(builder.finish())
    }

    /// The ready vectors of some events; nothing where events are tokens.
    #[must_use]
    pub(super) fn ready(&self, events: Range<usize>) -> Option<&[f32]> {
        let ready = self.ready.as_ref()?;
        Some(&ready.vectors[events.start * ready.dim..events.end * ready.dim])
    }

    /// The vectors that [`Corpus::ids`] number: those of the encoder's tokens, or the ready ones.
    #[inline]
    #[must_use]
    pub(super) fn table<'a>(&'a self, encoder: &'a StaticEncoder) -> &'a [f32] {
        self.ready.as_ref().map_or(&encoder.tokens, |ready| &ready.vectors)
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Number of distinct texts.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// The number of the event's text: equal for events of one text.
    #[must_use]
    pub fn text_id(&self, event: usize) -> u32 {
        self.items[event].text
    }

    /// The event's tokens that are used.
    #[must_use]
    pub fn ids(&self, event: usize) -> &[u32] {
        let Item { first, len, .. } = self.items[event];
        &self.ids[first as usize..][..len as usize]
    }

    /// The target word's tokens `[start, end)` among [`Corpus::ids`].
    #[must_use]
    pub fn span(&self, event: usize) -> Option<(u32, u32)> {
        Some(self.items[event].span).filter(|span| span.0 != NONE)
    }

    /// Writes the pooling bucket of each of the event's tokens over `out`.
    pub fn buckets(&self, event: usize, out: &mut Vec<u8>) {
        let span = self.span(event);
        out.clear();
        out.extend((0..self.items[event].len as usize).map(|token| pool_weights::bucket(self.window, token, span)));
    }

    /// The used tokens of each distinct text, once: those of its first event.
    #[must_use]
    pub fn distinct(&self) -> Vec<&[u32]> {
        let mut seen = vec![false; self.texts];
        let first = |event: &usize| !std::mem::replace(&mut seen[self.items[*event].text as usize], true);
        (0..self.len()).filter(first).map(|event| self.ids(event)).collect()
    }

    /// In how many of the distinct texts each of `vocab` tokens occurs.
    #[must_use]
    pub fn document_frequencies(&self, vocab: usize) -> Vec<u32> {
        let mut counts = vec![0; vocab];
        let mut last = vec![NONE; vocab];
        for (text, ids) in self.distinct().into_iter().enumerate() {
            for id in ids {
                if std::mem::replace(&mut last[*id as usize], text as u32) != text as u32 {
                    counts[*id as usize] += 1;
                }
            }
        }
        counts
    }
}

fn counted(n: usize, what: &'static str) -> Result<u32, EncoderError> {
    let limit = NONE - 1;
    u32::try_from(n).ok().filter(|n| *n <= limit).ok_or(EncoderError::TooMany { what, limit: limit.into() })
}

/// Characters to bytes.
fn byte_span(text: &str, (start, end): (u32, u32)) -> Option<(u32, u32)> {
    let mut bytes = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).skip(start as usize);
    let first = bytes.next()?;
    let last = bytes.nth(end.checked_sub(start)?.checked_sub(1)? as usize)?;
    Some((first as u32, last as u32))
}

/// The tokens that share a byte with `bytes`; none where the tokenizer left the word out.
fn token_span(offsets: &[(u32, u32)], (start, end): (u32, u32)) -> Option<(u32, u32)> {
    let inside = |token: &(u32, u32)| token.1 > start && token.0 < end;
    let first = offsets.iter().position(inside)?;
    let last = offsets.iter().rposition(inside)?;
    Some((first as u32, last as u32 + 1))
}

/// At most `max_tokens` of the item's tokens, with the middle of the span in the middle as far as the text goes.
fn cut(mut item: Item, max_tokens: usize) -> Item {
    let max = u32::try_from(max_tokens).unwrap_or(NONE);
    if item.len <= max {
        return item;
    }
    let marked = item.span.0 != NONE;
    let middle = if marked { item.span.0.midpoint(item.span.1) } else { 0 };
    let skipped = middle.saturating_sub(max / 2).min(item.len - max);
    if marked {
        let inside = |at: u32| at.saturating_sub(skipped).min(max);
        item.span = (inside(item.span.0), inside(item.span.1));
    }
    Item { first: item.first + skipped, len: max, ..item }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TokenizerKind;

    fn event(text: &str, span: Option<(u32, u32)>) -> Event {
        Event {
            event_id: String::new(),
            sense: "a#1".to_owned(),
            lemma: "a".to_owned(),
            text: text.to_owned(),
            span,
            embedding: None,
            extra: Default::default(),
        }
    }

    /// One token a word: every word of the tests occurs often.
    fn tokenizer() -> Tokenizer {
        let text = "zéro ünder one two three four five six seven eight nine";
        Tokenizer::train(TokenizerKind::Wordpiece, 400, &[text; 4]).expect("trains")
    }

    #[test]
    fn events_of_a_text_share_its_tokens() {
        let events = [event("one two", None), event("three", None), event("one two", Some((4, 7)))];
        let corpus = Corpus::build(&tokenizer(), &events, 4, 100).expect("builds");
        assert_eq!((corpus.len(), corpus.texts(), corpus.ids.len()), (3, 2, 3));
        assert_eq!([0, 1, 2].map(|e| corpus.text_id(e)), [0, 1, 0]);
        assert_eq!(corpus.ids(0), corpus.ids(2));
        assert_eq!((corpus.span(0), corpus.span(2)), (None, Some((1, 2))));
        let mut buckets = vec![9; 9];
        corpus.buckets(2, &mut buckets);
        assert_eq!(buckets, [1, 0]);
        corpus.buckets(0, &mut buckets);
        assert_eq!(buckets, [11, 11]);
        let counts = corpus.document_frequencies(tokenizer().vocab_size());
        assert_eq!(counts[corpus.ids(0)[0] as usize], 1, "texts count, not events");
        assert_eq!(counts.iter().sum::<u32>(), 3);
    }

    #[test]
    fn spans_count_characters_not_bytes() {
        // "ü" and "é" take two bytes each.
        let events = [event("zéro ünder one", Some((5, 10))), event("zéro ünder one", Some((11, 14)))];
        let corpus = Corpus::build(&tokenizer(), &events, 4, 100).expect("builds");
        assert_eq!((corpus.span(0), corpus.span(1)), (Some((1, 2)), Some((2, 3))));
        assert_eq!(byte_span("é", (0, 1)), Some((0, 2)));
        for outside in [(0, 2), (1, 1), (2, 3), (1, 0)] {
            assert_eq!(byte_span("é", outside), None, "{outside:?}");
        }
        // The target is a control character, which the tokenizer drops.
        let corpus = Corpus::build(&tokenizer(), &[event("one \u{7} two", Some((4, 5)))], 4, 100).expect("builds");
        assert_eq!((corpus.ids(0).len(), corpus.span(0)), (2, None));
    }

    #[test]
    fn long_texts_are_cut_around_the_target() {
        let text = "one two three four five six seven eight nine";
        let cuts = |span, max| {
            let corpus = Corpus::build(&tokenizer(), &[event(text, span)], 4, max).expect("builds");
            let all = Corpus::build(&tokenizer(), &[event(text, span)], 4, 99).expect("builds");
            let first = (0..9).find(|i| all.ids(0)[*i..].starts_with(corpus.ids(0)));
            (first, corpus.ids(0).len(), corpus.span(0))
        };
        assert_eq!(cuts(None, 3), (Some(0), 3, None));
        assert_eq!(cuts(Some((0, 3)), 3), (Some(0), 3, Some((0, 1))), "one");
        assert_eq!(cuts(Some((19, 23)), 3), (Some(3), 3, Some((1, 2))), "five, one word on each side");
        assert_eq!(cuts(Some((40, 44)), 3), (Some(6), 3, Some((2, 3))), "nine");
        assert_eq!(cuts(Some((0, 44)), 3), (Some(3), 3, Some((0, 3))), "all of it");
        assert_eq!(cuts(Some((19, 23)), 1), (Some(4), 1, Some((0, 1))));
    }
}
