//! Whom limits count against: hashed where it is counted, and named beside what is locked out, sealed, so that whoever may see
//! the lockouts reads it, and whoever sees the store does not.

use std::net::IpAddr;

use crate::app::App;
use crate::model::audit::Act;
use crate::model::device::DeviceId;
use crate::model::lockout::network_name;
use crate::model::operation::{Scope, counted_network};
use crate::store::limits::{Locked, Reserved, Sealed, Subject};
use crate::token::master::{Master, Purpose, SealedColumn};

/// What a limit of this scope counts by: the network of the address, or the device id and that network, since a device id is no
/// secret and knowing it is to spend nothing of its owner's.
pub(super) fn name(scope: Scope, device_id: Option<&DeviceId>, ip_address: IpAddr) -> Option<String> {
    let network = network_name(counted_network(ip_address));
    match scope {
        Scope::Device => device_id.map(|device_id| format!("{} {network}", device_id.as_str())),
        Scope::IpAddress => Some(network),
    }
}

/// What a name is counted under.
pub(super) fn hash(master: &Master, scope: Scope, name: &str) -> Subject {
    let mac = master.mac(Purpose::Limit, &[scope.as_str().as_bytes(), name.as_bytes()]);
    let mut hash = [0; 16];
    hash.copy_from_slice(mac.first_chunk::<16>().unwrap_or(&[0; 16]));
    Subject(hash)
}

/// The names of those that an attempt counts against. Without random numbers a lockout goes without a name.
pub(super) fn sealed(app: &App, by: &Act, reserved: &Reserved) -> Vec<Sealed> {
    let seal = |(scope, subject): (Scope, Subject)| {
        let name = by.ip_address.and_then(|address| name(scope, by.device_id.as_ref(), address)).unwrap_or_default();
        // For its hash alone, so that no other lockout can be given it.
        app.master.seal(SealedColumn::LockoutName, &subject.0, name.as_bytes()).unwrap_or_default()
    };
    reserved.subjects().map(seal).collect()
}

/// Who it is that is locked out, a device with its network after a space; empty when that was sealed under a master key that is not given any more.
pub(in crate::flows) fn open(master: &Master, locked: &Locked) -> String {
    let name = master.open(SealedColumn::LockoutName, &locked.subject.0, &locked.name).ok();
    name.and_then(|name| String::from_utf8(name).ok()).unwrap_or_default()
}
