//! What a file is, by its first bytes: for messages that name a wrong file, and the command that takes it.

mod json;
mod magic;
mod text;

/// More bytes than this are not looked at.
pub const HEAD_BYTES: usize = 1 << 16;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No bytes, or white space alone.
    Empty,
    /// Bundles, as JSON Lines.
    Bundles,
    /// Events, as JSON Lines.
    Events,
    /// Event ids, as JSON Lines.
    Ids,
    /// A scoreboard.
    Scoreboard,
    /// Items beside a scoreboard, as JSON Lines.
    Items,
    /// A checkpoint of Crucible's own.
    Checkpoint,
    /// A capsule, without its zstd packing.
    Capsule,
    /// Texts with labels, as JSON Lines.
    LabelledRows,
    /// Triplets of texts, as JSON Lines.
    Triplets,
    /// Documents or queries of a BEIR folder.
    BeirTexts,
    /// Comma-separated values; also with semicolons.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// A ranking in TREC's form.
    TrecRun,
    /// Relevance judgements.
    Qrels,
    /// One JSON array.
    JsonArray,
    /// One JSON document of another kind, over several lines.
    JsonDocument,
    /// JSON objects of another kind, one a line.
    JsonLines,
    /// Text of another kind.
    Text,
    /// Text in UTF-16.
    Utf16,
    /// HTML.
    Html,
    /// XML.
    Xml,
    /// What git leaves in place of a file that Git LFS keeps.
    LfsPointer,
    /// The configuration in a model's folder.
    ModelConfig,
    /// A LoRA adapter, or its configuration.
    Adapter,
    /// Tensors of another program, as safetensors.
    Safetensors,
    /// A pickle, also within a zip archive (PyTorch).
    Pickle,
    /// A model of llama.cpp.
    Gguf,
    /// HDF5 (Keras).
    Hdf5,
    /// One array of NumPy's.
    Npy,
    /// Several arrays of NumPy's.
    Npz,
    /// Parquet.
    Parquet,
    /// Arrow or Feather.
    Arrow,
    /// SQLite.
    Sqlite,
    /// A spreadsheet (Excel, LibreOffice).
    Spreadsheet,
    /// A zip archive.
    Zip,
    /// Packed by gzip.
    Gzip,
    /// Packed by zstd.
    Zstd,
    /// Packed by another program: bzip2, xz, 7-Zip.
    OtherPacked,
    /// A tar archive.
    Tar,
    /// PDF.
    Pdf,
    /// A picture.
    Picture,
    /// Bytes of no known kind.
    Binary,
}

/// What a file is, by its first bytes, unpacked where its name says that it is packed. [`HEAD_BYTES`] are enough; a head
/// that is cut short anywhere is told from as much as there is.
#[must_use]
pub fn of(head: &[u8]) -> Kind {
    let head = &head[..head.len().min(HEAD_BYTES)];
    if let Some(kind) = magic::kind(head) {
        return kind;
    }
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let start = if MARK.starts_with(head) { &[] } else { head.strip_prefix(MARK).unwrap_or(head).trim_ascii_start() };
    match start.first() {
        None => Kind::Empty,
        // Damaged JSON stays JSON: its reader names the line.
        Some(b'{') => json::kind(start),
        _ if !is_text(start) => Kind::Binary,
        Some(b'[') if json::is_array(start) => Kind::JsonArray,
        Some(b'<') => text::markup(start),
        Some(_) => text::kind(start),
    }
}

/// Text as far as it is looked at: no control characters but those of lines.
fn is_text(start: &[u8]) -> bool {
    start.iter().take(512).all(|byte| *byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c'))
}

/// What a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Bundles.
    Bundles,
    /// Events.
    Events,
    /// Event ids.
    Ids,
    /// A scoreboard.
    Scoreboard,
    /// Items.
    Items,
    /// A checkpoint of Crucible's own.
    Checkpoint,
    /// Ready vectors.
    Vectors,
}

impl Wanted {
    fn words(self) -> &'static str {
        match self {
            Self::Bundles => "bundles (JSON Lines)",
            Self::Events => "events (JSON Lines)",
            Self::Ids => "event ids (JSON Lines)",
            Self::Scoreboard => "a scoreboard (JSON)",
            Self::Items => "items (JSON Lines)",
            Self::Checkpoint => "a checkpoint (checkpoint_final.safetensors)",
            Self::Vectors => "vectors (.npy, .safetensors or .parquet)",
        }
    }

    /// Whether a reader should go on with such a file, if only to name the faults in it.
    fn may_be(self, kind: Kind) -> bool {
        match kind {
            // Their readers say so themselves.
            Kind::Empty => true,
            Kind::JsonLines => !matches!(self, Self::Checkpoint | Self::Vectors),
            Kind::JsonDocument => matches!(self, Self::Scoreboard),
            Kind::Text => matches!(self, Self::Ids | Self::Vectors),
            Kind::Safetensors => matches!(self, Self::Checkpoint | Self::Vectors),
            Kind::Npy | Kind::Binary => matches!(self, Self::Vectors),
            Kind::Bundles => matches!(self, Self::Bundles),
            Kind::Events => matches!(self, Self::Events | Self::Ids),
            Kind::Ids => matches!(self, Self::Ids),
            Kind::Scoreboard => matches!(self, Self::Scoreboard),
            Kind::Items => matches!(self, Self::Items),
            Kind::Checkpoint => matches!(self, Self::Checkpoint),
            _ => false,
        }
    }
}

/// What to say of a file that is plainly not what its reader wants, such as "is a file of events, and …"; nothing where
/// it may be. `file` stands in commands that take it.
#[must_use]
pub fn refusal(head: &[u8], wanted: Wanted, file: &str) -> Option<String> {
    let kind = of(head);
    if wanted.may_be(kind) {
        return None;
    }
    let advice = kind.advice().map_or(String::new(), |advice| format!("; {}", advice.replace("FILE", file)));
    Some(format!("is {}, and {} wanted here{advice}", kind.words(), wanted_are(wanted)))
}

fn wanted_are(wanted: Wanted) -> String {
    let verb = if matches!(wanted, Wanted::Scoreboard | Wanted::Checkpoint) { "is" } else { "are" };
    format!("{} {verb}", wanted.words())
}

impl Kind {
    /// In words, such as "a file of events".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Bundles => "a file of bundles",
            Self::Events => "a file of events",
            Self::Ids => "a file of event ids",
            Self::Scoreboard => "a scoreboard",
            Self::Items => "a scoreboard's items",
            Self::Checkpoint => "a checkpoint",
            Self::Capsule => "a capsule",
            Self::LabelledRows => "JSON Lines of labelled texts",
            Self::Triplets => "JSON Lines of triplets",
            Self::BeirTexts => "a corpus or queries file of a BEIR folder",
            Self::Csv => "a CSV table",
            Self::Tsv => "a TSV table",
            Self::TrecRun => "a TREC run",
            Self::Qrels => "a file of relevance judgements (qrels)",
            Self::JsonArray => "one JSON array",
            Self::JsonDocument => "one JSON document over several lines",
            Self::JsonLines => "JSON of another kind",
            Self::Text => "text",
            Self::Utf16 => "text in UTF-16",
            Self::Html => "a web page (HTML)",
            Self::Xml => "an XML document",
            Self::LfsPointer => "a Git LFS pointer, not the file itself",
            Self::ModelConfig => "a model's config.json",
            Self::Adapter => "a LoRA adapter, not a whole model",
            Self::Safetensors => "a safetensors file of another program",
            Self::Pickle => "a pickle (PyTorch)",
            Self::Gguf => "a GGUF model",
            Self::Hdf5 => "an HDF5 file",
            Self::Npy => "a NumPy array (.npy)",
            Self::Npz => "a NumPy archive (.npz)",
            Self::Parquet => "a Parquet file",
            Self::Arrow => "an Arrow file",
            Self::Sqlite => "an SQLite database",
            Self::Spreadsheet => "a spreadsheet",
            Self::Zip => "a zip archive",
            Self::Gzip => "packed by gzip",
            Self::Zstd => "packed by zstd",
            Self::OtherPacked => "packed by bzip2, xz or 7-Zip",
            Self::Tar => "a tar archive",
            Self::Pdf => "a PDF",
            Self::Picture => "a picture",
            Self::Binary => "a binary file of no known kind",
        }
    }

    /// Which command takes it, or what to do first; `FILE` stands for its name.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::Bundles => "`crucible train --bundles` and `crucible eval --eval-set` take it",
            Self::Events => "`crucible bundle --events FILE --output bundles.jsonl` makes bundles of it",
            Self::Ids => "it belongs beside a file of vectors (--embedding-ids)",
            Self::Scoreboard => "`crucible compare` and `crucible eval --baseline-scoreboard` take it",
            Self::Items => "name the scoreboard that it lies beside: items are found by its name",
            Self::Checkpoint => "`crucible eval --checkpoint FILE` takes it",
            Self::Capsule => "`crucible capsule unpack FILE --output-dir DIR` unpacks it",
            Self::LabelledRows | Self::Csv | Self::Tsv => {
                "`crucible import labelled --input FILE --output events.jsonl` makes events of labelled texts"
            }
            Self::Triplets => "`crucible import triplets --input FILE --output bundles.jsonl` makes bundles of it",
            Self::BeirTexts => "`crucible import beir DIR --output bundles.jsonl` takes the folder that it lies in",
            Self::TrecRun | Self::Qrels => {
                "`crucible import predictions --predictions RUN --qrels QRELS --output board.json` takes both"
            }
            Self::JsonArray => "write one object a line: `jq -c '.[]' FILE > lines.jsonl`",
            Self::JsonDocument => "write each object on one line: `jq -c . FILE > lines.jsonl`",
            Self::Utf16 => "convert it to UTF-8: `iconv -f UTF-16 -t UTF-8 FILE > utf8.jsonl`",
            Self::Html | Self::Xml => "was the download right? Often a sign-in page is saved in place of the file",
            Self::LfsPointer => "`git lfs pull` gets the file",
            Self::ModelConfig => "`--checkpoint` takes the folder that it lies in",
            Self::Adapter => "merge it into its base model (peft: `merge_and_unload`) and save the whole model",
            Self::Safetensors => "a model is named by its folder; vectors go to `--embeddings`",
            Self::Pickle => "save the model or the data in a form that holds no code (safetensors, JSON Lines)",
            Self::Npy => "`--embeddings FILE` takes vectors",
            Self::Npz => "vectors are taken as one array: `numpy.save(\"vectors.npy\", array)`",
            Self::Parquet => {
                "`crucible import labelled --input FILE --output events.jsonl` reads labelled texts from it, \
                 `crucible import triplets` triplets"
            }
            Self::Arrow | Self::Sqlite | Self::Spreadsheet => {
                "export it as CSV or Parquet, and read that by `crucible import labelled`"
            }
            Self::Zip | Self::Tar | Self::OtherPacked => "unpack it and name the file inside",
            Self::Gzip => "unpack it first (gunzip)",
            Self::Zstd => "unpack it first (unzstd); a capsule goes to `crucible capsule`",
            Self::Text | Self::JsonLines | Self::Binary => "is this the right file?",
            Self::Empty | Self::Gguf | Self::Hdf5 | Self::Pdf | Self::Picture => return None,
        })
    }
}

#[cfg(test)]
mod tests;
