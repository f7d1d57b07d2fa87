//! Lines, to and from the model.

use um_topology as model;
use um_topology::{Id, Kind, Name};

use crate::reader::{Reader, host_text};
use crate::time::duration_to_proto;
use crate::v1::{self, line};
use crate::{Common, Invalid, session};

impl TryFrom<&v1::Line> for model::Line {
    type Error = Invalid;

    fn try_from(from: &v1::Line) -> Result<Self, Invalid> {
        let mut reader = Reader::default();
        let line = Self {
            id: reader.own_name(Kind::Line, &from.name),
            meta: from.to_meta(),
            active: from.active,
            usage: reader.value("usage", from.usage, usage_to_model),
            domain: reader.host("domain", from.domain.as_ref()),
            limits: from.limits.as_ref().map(limits_to_model).unwrap_or_default(),
            transport: from
                .transport
                .as_ref()
                .map(|transport| transport_to_model(&mut reader, transport))
                .unwrap_or_default(),
            access: from
                .access
                .as_ref()
                .map(|access| access_to_model(&mut reader, access))
                .unwrap_or_default(),
            proxy_list: reader.reference("proxy_list", Kind::ProxyList, from.proxy_list.as_ref()),
            authentication: model::Authentication {
                outbound_credentials: credentials_to_model(&mut reader, from.authentication.as_ref()),
            },
            session: from
                .session
                .as_ref()
                .map(|session| session::line_to_model(&mut reader, session))
                .unwrap_or_default(),
            transfer_mode: reader.value("transfer_mode", from.transfer_mode, session::transfer_to_model),
            fax_protocol: reader.value("fax_protocol", from.fax_protocol, session::fax_to_model),
        };
        reader.finish(line)
    }
}

impl From<&model::Line> for v1::Line {
    fn from(from: &model::Line) -> Self {
        let mut line = Self {
            active: from.active,
            usage: from.usage.map(|usage| usage_from_model(usage).into()),
            domain: from.domain.as_ref().map(host_text),
            limits: limits_from_model(&from.limits),
            transport: transport_from_model(&from.transport),
            access: access_from_model(&from.access),
            proxy_list: from.proxy_list.as_ref().map(|id| Name::proxy_list(Id::clone(id)).to_string()),
            authentication: authentication_from_model(&from.authentication),
            session: session::line_from_model(&from.session),
            transfer_mode: from.transfer_mode.map(|mode| session::transfer_from_model(mode).into()),
            fax_protocol: from.fax_protocol.map(|fax| session::fax_from_model(fax).into()),
            ..Self::default()
        };
        line.set_name(Name::line(from.id.clone()).to_string());
        line.set_meta(from.meta.as_deref());
        line
    }
}

/// Returns a transport of the wire.
#[must_use]
pub const fn protocol_from_model(transport: model::Transport) -> v1::transport::Protocol {
    match transport {
        model::Transport::Udp => v1::transport::Protocol::Udp,
        model::Transport::Tcp => v1::transport::Protocol::Tcp,
    }
}

/// Returns a transport of the model; nothing for the unspecified one.
#[must_use]
pub const fn protocol_to_model(protocol: v1::transport::Protocol) -> Option<model::Transport> {
    match protocol {
        v1::transport::Protocol::Unspecified => None,
        v1::transport::Protocol::Udp => Some(model::Transport::Udp),
        v1::transport::Protocol::Tcp => Some(model::Transport::Tcp),
    }
}

pub(crate) fn effective_transport(line: &model::Line) -> line::LineTransport {
    let timers = line.timers();
    line::LineTransport {
        protocol: Some(protocol_from_model(line.effective_protocol()).into()),
        audio: Some(audio_from_model(line.effective_audio()).into()),
        receive_port: Some(line.effective_receive_port().into()),
        connect_timer: Some(duration_to_proto(timers.connect)),
        t1: Some(duration_to_proto(timers.t1)),
        t2: Some(duration_to_proto(timers.t2)),
        max_packet_retry: Some(timers.max_packet_retry),
        max_invite_retry: Some(timers.max_invite_retry),
        reinvite_delay: Some(duration_to_proto(line.effective_reinvite_delay())),
        retryable_codes: Some(line.effective_retryable_codes().to_string()),
        profile: Some(profile_from_model(line.effective_profile()).into()),
        ..transport_from_model(&line.transport).unwrap_or_default()
    }
}

fn transport_to_model(reader: &mut Reader, from: &line::LineTransport) -> model::LineTransport {
    model::LineTransport {
        protocol: reader.value("transport.protocol", from.protocol, protocol_to_model),
        audio: reader.value("transport.audio", from.audio, audio_to_model),
        bind_address: reader.parse("transport.bind_address", from.bind_address.as_ref()),
        advertised_address: reader.host("transport.advertised_address", from.advertised_address.as_ref()),
        receive_port: reader.port("transport.receive_port", from.receive_port),
        connect_timer: reader.duration("transport.connect_timer", from.connect_timer.as_ref()),
        t1: reader.duration("transport.t1", from.t1.as_ref()),
        t2: reader.duration("transport.t2", from.t2.as_ref()),
        max_packet_retry: from.max_packet_retry,
        max_invite_retry: from.max_invite_retry,
        reinvite_delay: reader.duration("transport.reinvite_delay", from.reinvite_delay.as_ref()),
        retryable_codes: reader.parse("transport.retryable_codes", from.retryable_codes.as_ref()),
        profile: reader.value("transport.profile", from.profile, profile_to_model),
    }
}

fn transport_from_model(from: &model::LineTransport) -> Option<line::LineTransport> {
    let transport = line::LineTransport {
        protocol: from.protocol.map(|protocol| protocol_from_model(protocol).into()),
        audio: from.audio.map(|audio| audio_from_model(audio).into()),
        bind_address: from.bind_address.as_ref().map(ToString::to_string),
        advertised_address: from.advertised_address.as_ref().map(host_text),
        receive_port: from.receive_port.map(Into::into),
        connect_timer: from.connect_timer.map(duration_to_proto),
        t1: from.t1.map(duration_to_proto),
        t2: from.t2.map(duration_to_proto),
        max_packet_retry: from.max_packet_retry,
        max_invite_retry: from.max_invite_retry,
        reinvite_delay: from.reinvite_delay.map(duration_to_proto),
        retryable_codes: from.retryable_codes.as_ref().map(|codes| codes.text().to_owned()),
        profile: from.profile.map(|profile| profile_from_model(profile).into()),
    };
    (transport != line::LineTransport::default()).then_some(transport)
}

fn credentials_to_model(reader: &mut Reader, from: Option<&line::Authentication>) -> Vec<Id> {
    let names = from.map(|from| &from.outbound_credentials[..]).unwrap_or_default();
    let read = names.iter().enumerate().filter_map(|(index, name)| {
        let field = format!("authentication.outbound_credentials[{index}]");
        reader.reference(&field, Kind::Credential, Some(name))
    });
    read.collect()
}

fn authentication_from_model(from: &model::Authentication) -> Option<line::Authentication> {
    let names = from.outbound_credentials.iter().map(|id| Name::credential(Id::clone(id)).to_string());
    let authentication = line::Authentication { outbound_credentials: names.collect() };
    (authentication != line::Authentication::default()).then_some(authentication)
}

const fn limits_to_model(from: &line::Limits) -> model::Limits {
    let line::Limits { max_calls, max_calls_in, max_calls_out, max_cps } = *from;
    model::Limits { max_calls, max_calls_in, max_calls_out, max_cps }
}

fn limits_from_model(from: &model::Limits) -> Option<line::Limits> {
    let model::Limits { max_calls, max_calls_in, max_calls_out, max_cps } = *from;
    let limits = line::Limits { max_calls, max_calls_in, max_calls_out, max_cps };
    (limits != line::Limits::default()).then_some(limits)
}

fn access_to_model(reader: &mut Reader, from: &line::Access) -> model::Access {
    model::Access {
        allow: reader.parse_all("access.allow", &from.allow),
        deny: reader.parse_all("access.deny", &from.deny),
    }
}

fn access_from_model(from: &model::Access) -> Option<line::Access> {
    let access = line::Access {
        allow: from.allow.iter().map(ToString::to_string).collect(),
        deny: from.deny.iter().map(ToString::to_string).collect(),
    };
    (access != line::Access::default()).then_some(access)
}

const fn usage_to_model(usage: line::Usage) -> Option<model::Usage> {
    match usage {
        line::Usage::Unspecified => None,
        line::Usage::General => Some(model::Usage::General),
        line::Usage::Um => Some(model::Usage::Um),
    }
}

const fn usage_from_model(usage: model::Usage) -> line::Usage {
    match usage {
        model::Usage::General => line::Usage::General,
        model::Usage::Um => line::Usage::Um,
    }
}

const fn audio_to_model(audio: line::line_transport::Audio) -> Option<model::Audio> {
    match audio {
        line::line_transport::Audio::Unspecified => None,
        line::line_transport::Audio::Rtp => Some(model::Audio::Rtp),
    }
}

const fn audio_from_model(audio: model::Audio) -> line::line_transport::Audio {
    match audio {
        model::Audio::Rtp => line::line_transport::Audio::Rtp,
    }
}

const fn profile_to_model(profile: line::line_transport::Profile) -> Option<model::TimerProfile> {
    match profile {
        line::line_transport::Profile::Unspecified => None,
        line::line_transport::Profile::Standard => Some(model::TimerProfile::Standard),
        line::line_transport::Profile::FastFailover => Some(model::TimerProfile::FastFailover),
    }
}

const fn profile_from_model(profile: model::TimerProfile) -> line::line_transport::Profile {
    match profile {
        model::TimerProfile::Standard => line::line_transport::Profile::Standard,
        model::TimerProfile::FastFailover => line::line_transport::Profile::FastFailover,
    }
}
