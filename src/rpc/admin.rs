//! AdminService: other people's accounts, and the gate itself.
//!
//! Declared in full, so that access to it is enforced; its methods answer UNIMPLEMENTED until they are built.

use crate::proto::keyward::v1::admin_service_server::AdminService;

/// Serves AdminService.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admin;

#[tonic::async_trait]
impl AdminService for Admin {}
