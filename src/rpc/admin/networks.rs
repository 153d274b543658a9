//! Networks that are blocked or allowed.

use chrono::{DateTime, Utc};
use tonic::{Request, Response, Status};

use super::Admin;
use crate::error::Error;
use crate::flows::networks::{self, NewRule, Target};
use crate::model::network::{Network, NetworkAction};
use crate::proto::keyward::v1::network_rule::Action;
use crate::proto::keyward::v1::{
    CreateNetworkRuleRequest, CreateNetworkRuleResponse, DeleteNetworkRuleRequest, DeleteNetworkRuleResponse,
    ListNetworkRulesRequest, ListNetworkRulesResponse,
};
use crate::rpc::accept::accept_as;
use crate::rpc::fields::all;
use crate::rpc::{convert, page};

pub(super) async fn list(
    admin: &Admin,
    request: Request<ListNetworkRulesRequest>,
) -> Result<Response<ListNetworkRulesResponse>, Status> {
    let (call, (list, before)) = accept_as(request, |call| {
        let list = admin.list("ListNetworkRules", call)?;
        let before = list.after(&call.message.page_token)?;
        Ok((list, before))
    })?;
    let size = page::size(call.message.page_size);
    let found = networks::list_page(&admin.0, before, size.saturating_add(1)).await?;
    let (rules, next_page_token) = list.page(found, size, |rule| rule.network_rule_id.uuid());
    let network_rules = rules.into_iter().map(Into::into).collect();
    Ok(Response::new(ListNetworkRulesResponse { network_rules, next_page_token }))
}

pub(super) async fn create(
    admin: &Admin,
    request: Request<CreateNetworkRuleRequest>,
) -> Result<Response<CreateNetworkRuleResponse>, Status> {
    let now = admin.0.clock.now();
    let (call, new) = accept_as(request, |call| new_rule(&call.message, now))?;
    let rule = networks::create(&admin.0, &call.act()?, new).await?;
    Ok(Response::new(CreateNetworkRuleResponse { network_rule: Some(rule.into()) }))
}

pub(super) async fn delete(
    admin: &Admin,
    request: Request<DeleteNetworkRuleRequest>,
) -> Result<Response<DeleteNetworkRuleResponse>, Status> {
    let (call, network_rule_id) =
        accept_as(request, |call| convert::id("network_rule_id", &call.message.network_rule_id))?;
    networks::delete(&admin.0, &call.act()?, Target::Rule(network_rule_id)).await?;
    Ok(Response::new(DeleteNetworkRuleResponse {}))
}

fn new_rule(request: &CreateNetworkRuleRequest, now: DateTime<Utc>) -> Result<NewRule, Error> {
    let network: Result<Network, _> = request.cidr.parse();
    let action = match request.action() {
        Action::Block => Ok(NetworkAction::Block),
        Action::Allow => Ok(NetworkAction::Allow),
        Action::Unspecified => Err(Error::invalid("action", "must be block or allow")),
    };
    let (network, action, reason, expires_at) = all((
        network.map_err(|cause| Error::invalid("cidr", cause.to_string())),
        action,
        convert::remark("reason", &request.reason),
        convert::end("expire_time", request.expire_time, now),
    ))?;
    Ok(NewRule { network, action, reason, expires_at })
}
