//! The common fields of all kinds (api-design.md section 2), on the generated messages.

use std::collections::BTreeMap;
use std::time::SystemTime;

use um_topology::{Kind, Meta};

use crate::{time, v1};

/// What the server adds to what the user wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Never used again, not even for a resource of the same name.
    pub uid: String,
    /// Opaque; changes if and only if what the user wrote changes.
    pub etag: String,
    /// Revision of the store that last changed it.
    pub revision: i64,
    /// When it was created.
    pub create_time: Option<SystemTime>,
    /// When what the user wrote last changed.
    pub update_time: Option<SystemTime>,
    /// Accepted, but not yet programmed in every ready worker.
    pub reconciling: bool,
    /// What the control plane observed.
    pub conditions: Vec<v1::Condition>,
}

/// The common fields of a resource message.
pub trait Common {
    /// Returns the full name, `lines/um-plain`.
    fn name(&self) -> &str;
    /// Sets the full name.
    fn set_name(&mut self, name: String);
    /// Returns the etag that the client sent, or that the server set.
    fn etag(&self) -> &str;
    /// Sets what the server adds.
    fn set_output(&mut self, output: Output);
    /// Removes what the server adds, the etag included; what is left is what the user wrote.
    fn clear_output(&mut self);
}

/// A message that is a kind of resource.
pub trait Kinded: Common + prost::Message + Default + Clone + PartialEq {
    /// The kind.
    const KIND: Kind;
}

macro_rules! common {
    ($message:ident, $kind:expr, $($effective:ident),*) => {
        impl Common for v1::$message {
            fn name(&self) -> &str {
                &self.name
            }

            fn set_name(&mut self, name: String) {
                self.name = name;
            }

            fn etag(&self) -> &str {
                &self.etag
            }

            fn set_output(&mut self, output: Output) {
                self.uid = output.uid;
                self.etag = output.etag;
                self.revision = output.revision;
                self.create_time = output.create_time.map(time::timestamp);
                self.update_time = output.update_time.map(time::timestamp);
                self.reconciling = output.reconciling;
                self.conditions = output.conditions;
            }

            fn clear_output(&mut self) {
                self.set_output(Output::default());
                $(self.$effective = Default::default();)*
            }
        }

        impl Kinded for v1::$message {
            const KIND: Kind = $kind;
        }

        impl v1::$message {
            /// Returns the describing fields as the model keeps them.
            pub(crate) fn to_meta(&self) -> Option<Box<Meta>> {
                Meta {
                    display_name: self.display_name.as_str().into(),
                    description: self.description.as_str().into(),
                    labels: boxed(&self.labels),
                    annotations: boxed(&self.annotations),
                }
                .boxed()
            }

            /// Sets the describing fields.
            pub(crate) fn set_meta(&mut self, meta: Option<&Meta>) {
                let Some(meta) = meta else { return };
                self.display_name = meta.display_name.to_string();
                self.description = meta.description.to_string();
                self.labels = unboxed(&meta.labels);
                self.annotations = unboxed(&meta.annotations);
            }
        }
    };
}

common!(Credential, Kind::Credential, has_password);
common!(Route, Kind::Route,);
common!(Line, Kind::Line, effective_transport, effective_session);
common!(ProxyList, Kind::ProxyList,);
common!(Station, Kind::Station, effective);
common!(User, Kind::User,);
common!(Settings, Kind::Settings,);

fn boxed(map: &BTreeMap<String, String>) -> BTreeMap<Box<str>, Box<str>> {
    map.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

fn unboxed(map: &BTreeMap<Box<str>, Box<str>>) -> BTreeMap<String, String> {
    map.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}
