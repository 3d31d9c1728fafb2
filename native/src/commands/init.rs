//! `crucible init`: a new project.

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::output;
use crate::replace::Replace;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder; it is created
    pub dir: PathBuf,
    /// Writes generated events to data/, the same everywhere
    #[arg(long)]
    pub sample_data: bool,
    /// What the configuration starts from
    #[arg(long, value_enum, default_value_t = Template::Basic)]
    pub template: Template,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// What the configuration starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A first run
    Basic,
    /// A long run with evaluations and guardrails spelled out
    Production,
    /// Several pool ratios and seeds
    Sweep,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Self::Basic => include_str!("../templates/basic.yaml"),
            Self::Production => include_str!("../templates/production.yaml"),
            Self::Sweep => include_str!("../templates/sweep.yaml"),
        }
    }
}

/// Writes the project.
///
/// # Errors
/// The folder is not empty (without `--force`) or can't be written.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    args.replace.check_folder(&args.dir)?;
    let mut written = vec!["crucible.yaml", ".gitignore", "README.md"];
    // First: if it fails, there is no half project in the way of the next try.
    if args.sample_data {
        written.extend(["data/events.jsonl", "data/organic_events.jsonl", "data/truth.jsonl"]);
        write_sample_data(&args.dir.join("data"))?;
    }
    output::create_folder(&args.dir.join("data"))?;
    output::write_file(&args.dir.join("crucible.yaml"), args.template.text().as_bytes())?;
    output::write_file(&args.dir.join(".gitignore"), include_bytes!("../templates/gitignore"))?;
    output::write_file(&args.dir.join("README.md"), include_bytes!("../templates/README.md"))?;
    let dir = args.dir.display();
    let events = match args.sample_data {
        true => String::new(),
        false => format!("Your events go to {dir}/data/events.jsonl; {dir}/README.md shows what they look like.\n"),
    };
    let written_list = written.join(", ");
    let text = format!("A new project in {dir}: {written_list}\n{events}Next: cd {dir} && crucible config validate\n");
    let json = serde_json::json!({"dir": args.dir.display().to_string(), "template": format!("{:?}", args.template).to_lowercase(), "files": written});
    ctx.print(&json, &text)?;
    Ok(Exit::Success)
}

/// Sample events, generated from a fixed seed: events to train on, events of new material, and what is known of them.
fn write_sample_data(folder: &Path) -> CliResult<()> {
    let sample = crucible_core::sample::generate(&crucible_core::sample::SampleSpec::default());
    output::write_json_lines(&folder.join("events.jsonl"), &sample.train)?;
    output::write_json_lines(&folder.join("organic_events.jsonl"), &sample.organic)?;
    output::write_json_lines(&folder.join("truth.jsonl"), &sample.truth)
}
