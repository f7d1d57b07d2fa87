//! YAML as a tree with positions, built from the events of the parser.
//!
//! Anchors, aliases and tags of one's own are refused: a manifest says what it says where it stands, and an alias can
//! make a small text enormous.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::Position;

/// A node and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A text; `plain` when it stands without quotes, so that its form decides its type.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// Pairs in the order of the text.
    Map(Vec<(Node, Node)>),
}

impl Content {
    /// Returns what a person would call it.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Scalar { .. } => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a group of fields",
        }
    }
}

/// Why a text is no YAML that we take.
#[derive(Clone, Debug)]
pub(super) struct Malformed {
    pub(super) position: Position,
    pub(super) message: String,
}

impl Malformed {
    fn new(span: Span, message: &str) -> Self {
        Self { position: position(span.start), message: message.to_owned() }
    }
}

impl From<ScanError> for Malformed {
    fn from(error: ScanError) -> Self {
        Self { position: position(*error.marker()), message: format!("this is not YAML: {}", error.info()) }
    }
}

/// Reads all documents of a text; empty ones are left out.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, Malformed> {
    let mut events = Events { parser: Parser::new_from_str(text) };
    let mut documents = Vec::new();
    loop {
        let (event, span) = events.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::Scalar(text, style, ..) if text.is_empty() && style == ScalarStyle::Plain => {}
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event @ (Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd) => documents.push(events.node(event, span, 0)?),
        }
    }
}

struct Events<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Malformed> {
        match self.parser.next_event() {
            Some(event) => Ok(event?),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Builds the node that an event begins.
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::new(span, "this is nested too deeply"));
        }
        let content = match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain_node(span, anchor, tag.is_some())?;
                Content::Scalar { text: Cow::into_owned(text), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(anchor, tag) => {
                plain_node(span, anchor, tag.is_some())?;
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                plain_node(span, anchor, tag.is_some())?;
                self.map(depth)?
            }
            Event::Alias(_) => return Err(Malformed::new(span, "aliases are not taken in manifests")),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(Malformed::new(span, "the text ends too early")),
        };
        Ok(Node { position: position(span.start), content })
    }

    fn list(&mut self, depth: usize) -> Result<Content, Malformed> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Content::List(items));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content, Malformed> {
        let mut pairs = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Content::Map(pairs));
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            pairs.push((key, value));
        }
    }
}

fn plain_node(span: Span, anchor: usize, tagged: bool) -> Result<(), Malformed> {
    if anchor != 0 {
        return Err(Malformed::new(span, "anchors are not taken in manifests"));
    }
    if tagged {
        return Err(Malformed::new(span, "tags are not taken in manifests"));
    }
    Ok(())
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

const MAX_DEPTH: usize = 32;
