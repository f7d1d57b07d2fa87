//! The command line and the environment, read here and nowhere else.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::duration;

/// Client of the umgate control plane.
///
/// Ends with 0 when all went well, 1 on errors, 2 on a wrong command line, 3 when there is no such thing, 4 on a
/// conflict, 5 when diff found differences, 6 when what was asked for did not take effect, 7 when the control plane
/// does not answer.
#[derive(Debug, Parser)]
#[command(name = "umctl", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Where the control plane answers.
    #[arg(
        long,
        env = "UM_SERVER",
        default_value = "http://127.0.0.1:7400",
        global = true,
        value_name = "URL"
    )]
    pub(crate) server: String,

    /// How the answer is shown. Default: what suits the command.
    #[arg(short, long, global = true, value_name = "FORM")]
    pub(crate) output: Option<Form>,

    /// Longest time for one request.
    #[arg(long, env = "UM_TIMEOUT", default_value = "30s", global = true, value_parser = duration::parse, value_name = "TIME")]
    pub(crate) timeout: Duration,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Columns.
    Table,
    /// More columns.
    Wide,
    /// The API's JSON, with everything that the server adds.
    Json,
    /// Manifests that apply reads back.
    Yaml,
    /// Full names only.
    Name,
    /// What belongs to what.
    Tree,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the resources of manifests be as the manifests say.
    Apply(Apply),
    /// Shows what apply would change; ends with 5 when there is something.
    Diff(Diff),
    /// Shows resources of a kind, or one of them.
    Get(Get),
    /// Shows everything about one resource: what was written, what follows, conditions, who refers to it, workers.
    Describe(One),
    /// Deletes a resource that nothing refers to.
    Delete(Delete),
    /// Opens a resource in an editor and applies what is saved.
    Edit(Edit),
    /// Writes all resources as manifests.
    Export(Export),
    /// Asks how a call would be routed, and why.
    #[command(subcommand)]
    Route(Route),
    /// Shows the workers, or one of them in full.
    Workers(Workers),
    /// Shows lines, proxy lists, stations and users as they belong together.
    Topology,
    /// Writes the completion script of a shell.
    Completion(Completion),
    /// Shows the version of this program.
    Version,
}

/// Manifests to read.
#[derive(Clone, Debug, Args)]
pub(crate) struct Files {
    /// A manifest, a directory of them, or - for the standard input; may be given several times.
    #[arg(short, long = "filename", required = true, value_name = "FILE|DIR|-")]
    pub(crate) files: Vec<PathBuf>,

    /// Who manages the resources; another manager's are left alone unless --force.
    #[arg(long, default_value = "umctl")]
    pub(crate) manager: String,

    /// Delete resources of the same manager that the manifests do not have.
    #[arg(long)]
    pub(crate) prune: bool,

    /// Take over resources of another manager.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of apply.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) files: Files,

    /// Check all and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Write all or nothing, in one transaction.
    #[arg(long)]
    pub(crate) atomic: bool,

    /// Wait until every connected worker runs it.
    #[arg(long)]
    pub(crate) wait: bool,

    /// Longest time to wait.
    #[arg(long, default_value = "60s", value_parser = duration::parse, value_name = "TIME")]
    pub(crate) wait_timeout: Duration,
}

/// Arguments of diff.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) files: Files,
}

/// Arguments of get.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// line, proxylist, station, user or settings.
    pub(crate) kind: String,
    /// Only this one.
    pub(crate) id: Option<String>,
    /// Then show changes as they happen.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// A resource.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// line, proxylist, station, user or settings.
    pub(crate) kind: String,
    /// Its id; the settings need none.
    #[arg(default_value = "settings", hide_default_value = true)]
    pub(crate) id: String,
}

/// Arguments of delete.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// line, proxylist, station or user.
    pub(crate) kind: String,
    /// Its id.
    pub(crate) id: String,
    /// Succeed where it does not exist.
    #[arg(long)]
    pub(crate) ignore_missing: bool,
    /// Delete it only while it has this etag.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) etag: String,
}

/// Arguments of edit.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    pub(crate) one: One,
    /// The editor, with its arguments.
    #[arg(long, env = "EDITOR", default_value = "vi")]
    pub(crate) editor: String,
}

/// Arguments of export.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Only these kinds.
    pub(crate) kinds: Vec<String>,
}

/// Questions about routing.
#[derive(Debug, Subcommand)]
pub(crate) enum Route {
    /// Routes an INVITE that was never sent.
    Simulate(Simulate),
}

/// The facts of an INVITE.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Its Request-URI, sip:2001@gateway.example.com.
    #[arg(long, value_name = "URI")]
    pub(crate) request_uri: String,
    /// Line that receives it. Default: the first active line of usage GENERAL.
    #[arg(long, value_name = "ID")]
    pub(crate) line: Option<String>,
    /// IP address that it comes from. Default: 127.0.0.1.
    #[arg(long, value_name = "IP")]
    pub(crate) source: Option<String>,
    /// Its From.
    #[arg(long, value_name = "URI")]
    pub(crate) from: Option<String>,
    /// A Diversion, topmost first; may be given several times.
    #[arg(long, value_name = "URI")]
    pub(crate) diversion: Vec<String>,
    /// State to assume of a target, um/um1=DOWN; may be given several times.
    #[arg(long, value_name = "LIST/ENTRY=STATE")]
    pub(crate) assume: Vec<String>,
    /// Worker whose view of the targets counts. Default: the best that any worker sees.
    #[arg(long, value_name = "ID")]
    pub(crate) worker: Option<String>,
}

/// Arguments of workers.
#[derive(Debug, Args)]
pub(crate) struct Workers {
    /// Only this one, in full.
    pub(crate) id: Option<String>,
}

/// Arguments of completion.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_are_taken_on_either_side_of_the_command() {
        let arguments = Arguments::try_parse_from([
            "umctl",
            "get",
            "line",
            "-o",
            "json",
            "--server",
            "http://127.0.0.1:1",
        ])
        .unwrap();
        assert_eq!((arguments.output, &*arguments.server), (Some(Form::Json), "http://127.0.0.1:1"));
        assert!(Arguments::try_parse_from(["umctl", "apply"]).is_err(), "apply needs -f");
    }
}
