//! Closed sets of attribute values. A value that comes from the network never becomes an attribute: it is one of these,
//! a configured name, or a status code.

use opentelemetry::Value;

macro_rules! attribute {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as it is exported.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl From<$name> for Value {
            fn from(value: $name) -> Self {
                Self::from(value.as_str())
            }
        }
    };
}

attribute! {
    /// Who reports a revision.
    Role {
        /// The control plane.
        Control = "control",
        /// A worker.
        Worker = "worker",
    }
}
attribute! {
    /// Which way something went, seen from us.
    Direction {
        /// Towards us.
        In = "in",
        /// Away from us.
        Out = "out",
    }
}
attribute! {
    /// Transport of a leg, by its OpenTelemetry name.
    Transport {
        /// Datagrams.
        Udp = "udp",
        /// A stream.
        Tcp = "tcp",
    }
}
attribute! {
    /// How a call or an attempt ended.
    CallOutcome {
        /// A 2xx.
        Answered = "answered",
        /// 486 or 600.
        Busy = "busy",
        /// Nobody answered in time.
        NoAnswer = "no_answer",
        /// Refused by us or by the far end for good.
        Rejected = "rejected",
        /// Nothing could carry it.
        Failed = "failed",
        /// The caller gave up, or the attempt was abandoned.
        Cancelled = "cancelled",
    }
}
attribute! {
    /// Where a call is in its life.
    CallState {
        /// Until the final response.
        Setup = "setup",
        /// Answered.
        Established = "established",
        /// Hung up, waiting for the last responses.
        Ending = "ending",
    }
}
attribute! {
    /// Observed state of a target.
    TargetState {
        /// Takes calls.
        Up = "up",
        /// Failed just now; tried last.
        Suspect = "suspect",
        /// Not used while another is up.
        Down = "down",
        /// Coming back.
        Probing = "probing",
        /// Asked us to stay away until a time.
        Blocked = "blocked",
        /// Taken out by an operator.
        Inactive = "inactive",
    }
}
attribute! {
    /// How an OPTIONS probe ended.
    ProbeOutcome {
        /// Proof of life.
        Alive = "alive",
        /// A response that counts as dead.
        Dead = "dead",
        /// No response in time.
        Timeout = "timeout",
        /// The transport refused.
        Unreachable = "unreachable",
    }
}
attribute! {
    /// Why a worker refused a resource.
    NackReason {
        /// The resource does not compile on this worker.
        Invalid = "invalid",
        /// The address to bind is not there.
        AddressMissing = "address_missing",
        /// The port is taken.
        PortTaken = "port_taken",
        /// No address can be advertised.
        NotAdvertisable = "not_advertisable",
        /// Anything else that the worker explains in text.
        Other = "other",
    }
}
attribute! {
    /// What was asked of the store.
    StoreOperation {
        /// One key.
        Get = "get",
        /// A range of keys.
        List = "list",
        /// A transaction.
        Commit = "commit",
        /// The opening of a watch.
        Watch = "watch",
    }
}
attribute! {
    /// How a store request ended.
    StoreOutcome {
        /// Done.
        Ok = "ok",
        /// A comparison failed.
        Conflict = "conflict",
        /// The store did not answer.
        Unavailable = "unavailable",
        /// Unknown whether it was done.
        Unknown = "unknown",
        /// Refused or broken.
        Failed = "failed",
    }
}
