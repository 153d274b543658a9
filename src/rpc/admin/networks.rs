//! Networks that are blocked or allowed.

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
use crate::rpc::accept::accept;
use crate::rpc::{convert, page};

pub(super) async fn list(
    admin: &Admin,
    request: Request<ListNetworkRulesRequest>,
) -> Result<Response<ListNetworkRulesResponse>, Status> {
    let call = accept(request)?;
    let list = admin.list("ListNetworkRules", &call)?;
    let size = page::size(call.message.page_size);
    let before = list.after(&call.message.page_token)?;
    let found = networks::list_page(&admin.0, before, size.saturating_add(1)).await?;
    let (rules, next_page_token) = list.page(found, size, |rule| rule.network_rule_id.uuid());
    let network_rules = rules.into_iter().map(Into::into).collect();
    Ok(Response::new(ListNetworkRulesResponse { network_rules, next_page_token }))
}

pub(super) async fn create(
    admin: &Admin,
    request: Request<CreateNetworkRuleRequest>,
) -> Result<Response<CreateNetworkRuleResponse>, Status> {
    let call = accept(request)?;
    let by = call.act()?;
    let new = new_rule(&call.message)?;
    let rule = networks::create(&admin.0, &by, new).await?;
    Ok(Response::new(CreateNetworkRuleResponse { network_rule: Some(rule.into()) }))
}

pub(super) async fn delete(
    admin: &Admin,
    request: Request<DeleteNetworkRuleRequest>,
) -> Result<Response<DeleteNetworkRuleResponse>, Status> {
    let call = accept(request)?;
    let network_rule_id = convert::id("network_rule_id", &call.message.network_rule_id)?;
    networks::delete(&admin.0, &call.act()?, Target::Rule(network_rule_id)).await?;
    Ok(Response::new(DeleteNetworkRuleResponse {}))
}

fn new_rule(request: &CreateNetworkRuleRequest) -> Result<NewRule, Error> {
    let action = match request.action() {
        Action::Block => NetworkAction::Block,
        Action::Allow => NetworkAction::Allow,
        Action::Unspecified => return Err(Error::invalid("action", "must be block or allow")),
    };
    let network: Result<Network, _> = request.cidr.parse();
    Ok(NewRule {
        network: network.map_err(|cause| Error::invalid("cidr", cause.to_string()))?,
        action,
        reason: convert::remark("reason", &request.reason)?,
        expires_at: request.expire_time.map(|time| convert::time("expire_time", time)).transpose()?,
    })
}
