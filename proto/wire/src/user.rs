//! Users, to and from the model.

use um_topology as model;
use um_topology::{Id, Kind, Name};

use crate::reader::Reader;
use crate::v1::{self, user};
use crate::{Common, Invalid};

impl TryFrom<&v1::User> for model::User {
    type Error = Invalid;

    fn try_from(from: &v1::User) -> Result<Self, Invalid> {
        let mut reader = Reader::default();
        let user = Self {
            id: reader.own_name(Kind::User, &from.name),
            meta: from.to_meta(),
            extension: from.extension().into(),
            um: from.um.as_ref().map(|um| um_to_model(&mut reader, um)).unwrap_or_default(),
            aliases: from.aliases.iter().map(|alias| alias.as_str().into()).collect(),
            calls: model::UserCalls {
                fax_capability: from.fax_capability,
                forward_all: from.forward_all,
                do_not_disturb: from.do_not_disturb,
            }
            .boxed(),
        };
        reader.finish(user)
    }
}

impl From<&model::User> for v1::User {
    fn from(from: &model::User) -> Self {
        let calls = from.calls.as_deref().cloned().unwrap_or_default();
        let mut user = Self {
            extension: (!from.extension.is_empty()).then(|| from.extension.to_string()),
            um: um_from_model(&from.um),
            aliases: from.aliases.iter().map(ToString::to_string).collect(),
            fax_capability: calls.fax_capability,
            forward_all: calls.forward_all,
            do_not_disturb: calls.do_not_disturb,
            ..Self::default()
        };
        user.set_name(Name::user(from.id.clone()).to_string());
        user.set_meta(from.meta.as_deref());
        user
    }
}

fn um_to_model(reader: &mut Reader, from: &user::Um) -> model::UserUm {
    model::UserUm {
        destination: reader.reference("um.destination", Kind::Station, from.destination.as_ref()),
        address_mode: reader.value("um.address_mode", from.address_mode, mode_to_model),
        address: reader.parse("um.address", from.address.as_ref()).map(Box::new),
    }
}

fn um_from_model(from: &model::UserUm) -> Option<user::Um> {
    let um = user::Um {
        destination: from.destination.as_ref().map(|id| Name::station(Id::clone(id)).to_string()),
        address_mode: from.address_mode.map(|mode| mode_from_model(mode).into()),
        address: from.address.as_ref().map(|address| address.text().to_owned()),
    };
    (um != user::Um::default()).then_some(um)
}

const fn mode_to_model(mode: user::um::AddressMode) -> Option<model::AddressMode> {
    match mode {
        user::um::AddressMode::Unspecified => None,
        user::um::AddressMode::InternalExtension => Some(model::AddressMode::InternalExtension),
        user::um::AddressMode::Other => Some(model::AddressMode::Other),
    }
}

const fn mode_from_model(mode: model::AddressMode) -> user::um::AddressMode {
    match mode {
        model::AddressMode::InternalExtension => user::um::AddressMode::InternalExtension,
        model::AddressMode::Other => user::um::AddressMode::Other,
    }
}
