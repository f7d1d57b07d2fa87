//! Why a command fails: what it says, and with which code it ends (api-design.md section 10).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::{fmt, io};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::manifest::{Finding, Manifest};

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// Manifests that cannot be read.
    Manifest(Vec<Finding>),
    /// The server refused; with the manifests that were sent, if any.
    Server(Box<Refusal>),
    /// Somebody else changed it, or manages it.
    Conflict(String),
    /// `diff` found differences; already shown.
    Different,
    /// What was asked for was done, but did not take effect.
    Check(String),
    /// The reader of our output is gone; not an error.
    BrokenPipe,
    /// Something else.
    Other(String),
}

/// A refusal of the server, and what it is about.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) manifest: Option<Manifest>,
}

impl Failure {
    /// Returns the code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            Self::Manifest(_) | Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::Conflict(_) => 4,
            Self::Different => 5,
            Self::Check(_) => 6,
            Self::Server(refusal) => match refusal.status.code() {
                Code::NotFound => 3,
                Code::Aborted | Code::AlreadyExists => 4,
                // Cancelled is what the time limit of a request makes of it.
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => 7,
                Code::Ok
                | Code::Unknown
                | Code::InvalidArgument
                | Code::PermissionDenied
                | Code::ResourceExhausted
                | Code::FailedPrecondition
                | Code::OutOfRange
                | Code::Unimplemented
                | Code::Internal
                | Code::DataLoss
                | Code::Unauthenticated => 1,
            },
        }
    }

    /// Says which manifests a refusal is about, so that it can name their lines.
    pub(crate) fn about(self, manifest: &Manifest) -> Self {
        match self {
            Self::Server(refusal) => {
                Self::Server(Box::new(Refusal { manifest: Some(manifest.clone()), ..*refusal }))
            }
            Self::Usage(_)
            | Self::Manifest(_)
            | Self::Conflict(_)
            | Self::Different
            | Self::Check(_)
            | Self::BrokenPipe
            | Self::Other(_) => self,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Server(Box::new(Refusal { status, manifest: None }))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Other(error.to_string())
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Conflict(text) | Self::Check(text) | Self::Other(text) => {
                f.write_str(text)
            }
            Self::Manifest(findings) => {
                let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Server(refusal) => f.write_str(&explain(&refusal.status, refusal.manifest.as_ref())),
            Self::Different | Self::BrokenPipe => Ok(()),
        }
    }
}

/// Says what the server refused: every field with its path, and where the manifest has it; else the text.
pub(crate) fn explain(status: &Status, manifest: Option<&Manifest>) -> String {
    let details = status.get_error_details();
    let mut said = BTreeSet::new();
    let mut text = String::new();
    let mut say = |path: &str, description: &str| {
        let place = manifest.and_then(|manifest| manifest.locate(path));
        let line = match place {
            Some((place, path)) if path.is_empty() => format!("{place}: {description}"),
            Some((place, path)) => format!("{place}: {path}: {description}"),
            None if path.is_empty() => description.to_owned(),
            None => format!("{path}: {description}"),
        };
        if said.insert(line.clone()) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
    };
    for violation in details.bad_request().iter().flat_map(|bad| &bad.field_violations) {
        say(&violation.field, &violation.description);
    }
    for violation in details.precondition_failure().iter().flat_map(|failure| &failure.violations) {
        say(&violation.subject, &violation.description);
    }
    for violation in details.quota_failure().iter().flat_map(|failure| &failure.violations) {
        say(&violation.subject, &violation.description);
    }
    if text.is_empty() {
        let silent =
            matches!(status.code(), Code::Unavailable | Code::Cancelled) && details.error_info().is_none();
        text = match status.message() {
            message if silent => format!("the control plane does not answer: {message}"),
            "" => status.code().description().to_owned(),
            message => message.to_owned(),
        };
    }
    if let Some(info) = details.error_info() {
        let _ = write!(text, "{}({})", if text.ends_with('\n') { "" } else { " " }, info.reason);
    }
    text.trim_end().to_owned()
}

/// Returns the word that is nearest to a wrong one, if any is near.
pub(crate) fn nearest<'a>(wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    right
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&wrong, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= 1 + word.len().max(wrong.len()) / 4)
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn every_violation_is_said_once_with_its_path_and_the_reason() {
        let mut details = ErrorDetails::new();
        details.set_error_info("FIELD_INVALID", "um.v1", []);
        details.add_bad_request_violation("line.transport.t1", "must be 50 ms to 5 s");
        details.add_bad_request_violation("line.transport.t1", "must be 50 ms to 5 s");
        details.add_precondition_failure_violation("REFERENCE_MISSING", "line.proxy_list", "is missing");
        let status = Status::with_error_details(Code::InvalidArgument, "two things", details);
        assert_eq!(
            explain(&status, None),
            "line.transport.t1: must be 50 ms to 5 s\nline.proxy_list: is missing\n(FIELD_INVALID)"
        );
    }

    #[test]
    fn codes_of_the_server_become_codes_of_the_process() {
        for (status, code) in [
            (Status::not_found(""), 3),
            (Status::aborted(""), 4),
            (Status::already_exists(""), 4),
            (Status::unavailable(""), 7),
            (Status::deadline_exceeded(""), 7),
            (Status::cancelled("Timeout expired"), 7),
            (Status::invalid_argument(""), 1),
        ] {
            assert_eq!(Failure::from(status).exit_code(), code);
        }
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::from(pipe).exit_code(), 0);
    }

    #[test]
    fn the_nearest_word_must_be_near() {
        let words = ["receive_port", "retryable_codes", "t1"];
        assert_eq!(nearest("recieve_port", words), Some("receive_port"));
        assert_eq!(nearest("receivePort", words), Some("receive_port"));
        assert_eq!(nearest("tls", words), None);
        assert_eq!(nearest("colour", words), None);
    }
}
