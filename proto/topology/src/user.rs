//! A user: an extension, and the mailbox that belongs to it.
//!
//! There may be a million of them in a topology, so what few users set stands in a box.

use std::sync::Arc;

use crate::id::Id;
use crate::meta::Meta;
use crate::station::Station;
use crate::um_address::UmAddress;
use crate::written::Written;

/// A person with an extension and perhaps a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id, `users/{id}`.
    pub id: Id,
    /// Describing fields.
    pub meta: Option<Box<Meta>>,
    /// Internal number: digits, required, unique across users and stations.
    pub extension: Arc<str>,
    /// The mailbox.
    pub um: UserUm,
    /// Further keys by which the user is called or the UM server names the mailbox, at most 8: an extension, an E.164
    /// number, a `tel:` or a `sip:` URI each. Unique across users.
    pub aliases: Box<[Arc<str>]>,
    /// How the user's calls are treated; nothing where every setting has its default.
    pub calls: Option<Box<UserCalls>>,
}

impl User {
    /// Makes a user with nothing but an id and an extension.
    #[must_use]
    pub fn new(id: impl Into<Id>, extension: &str) -> Self {
        let um = UserUm::default();
        Self {
            id: id.into(),
            meta: None,
            extension: Arc::from(extension),
            um,
            aliases: Box::default(),
            calls: None,
        }
    }

    /// Says whether a fax re-INVITE towards the user's mailbox may negotiate T.38.
    #[must_use]
    pub fn effective_fax_capability(&self) -> bool {
        self.calls.as_ref().and_then(|calls| calls.fax_capability).unwrap_or(true)
    }

    /// Says whether the user has all his calls diverted.
    #[must_use]
    pub fn effective_forward_all(&self) -> bool {
        self.calls.as_ref().and_then(|calls| calls.forward_all).unwrap_or(false)
    }

    /// Says whether the user does not want to be disturbed.
    #[must_use]
    pub fn effective_do_not_disturb(&self) -> bool {
        self.calls.as_ref().and_then(|calls| calls.do_not_disturb).unwrap_or(false)
    }

    /// Returns how the mailbox is named at a UM station: the own extension behind the station's prefix, or the
    /// configured address, which never takes a prefix.
    #[must_use]
    pub fn um_address(&self, station: &Station) -> UmAddress {
        match (self.um.effective_address_mode(), &self.um.address) {
            (AddressMode::Other, Some(address)) => address.value().clone(),
            (AddressMode::InternalExtension, _) | (AddressMode::Other, None) => {
                let prefix = station.extension_prefix.as_deref().unwrap_or_default();
                UmAddress::Extension(format!("{prefix}{}", self.extension).into())
            }
        }
    }
}

/// The mailbox of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserUm {
    /// The UM station that holds the mailbox. Unset: the user has none.
    pub destination: Option<Id>,
    /// Where the address at the UM server comes from. Unset: INTERNAL_EXTENSION.
    pub address_mode: Option<AddressMode>,
    /// The address at the UM server under `address_mode: OTHER`.
    pub address: Option<Box<Written<UmAddress>>>,
}

impl UserUm {
    /// Returns where the address at the UM server comes from.
    #[must_use]
    pub fn effective_address_mode(&self) -> AddressMode {
        self.address_mode.unwrap_or(AddressMode::InternalExtension)
    }
}

/// How a user's calls are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserCalls {
    /// False: an offer of T.38 on the leg towards the user's mailbox is declined with 488 and audio stays. Unset: true.
    pub fax_capability: Option<bool>,
    /// Every call goes to the mailbox, as diverted unconditionally. Unset: false.
    pub forward_all: Option<bool>,
    /// Every call goes to the mailbox, because the user does not want to be disturbed. Unset: false.
    pub do_not_disturb: Option<bool>,
}

impl UserCalls {
    /// Returns the form in which users keep it: nothing at all when every setting has its default.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// Where a user's address at the UM server comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressMode {
    /// The own extension, behind the station's prefix.
    InternalExtension,
    /// `um.address`.
    Other,
}

/// Most aliases of a user.
pub const MAX_ALIASES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip_address::SipAddress;

    fn station(prefix: &str) -> Station {
        let address = SipAddress::parts(Some("6000"), "um".parse().unwrap(), None);
        Station { extension_prefix: Some(prefix.into()), ..Station::new("um", address) }
    }

    #[test]
    fn the_prefix_stands_before_the_internal_extension_only() {
        let mut user = User::new("dana", "2001");
        assert_eq!(user.um_address(&station("8")), UmAddress::Extension("82001".into()));
        user.um.address_mode = Some(AddressMode::Other);
        user.um.address = Some(Box::new("+12025550100".parse().unwrap()));
        assert_eq!(user.um_address(&station("8")), UmAddress::E164("+12025550100".into()));
    }

    #[test]
    fn a_user_is_small() {
        assert!(size_of::<User>() <= 96, "{}", size_of::<User>());
    }
}
