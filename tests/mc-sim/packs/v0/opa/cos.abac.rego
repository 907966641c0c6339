# Who may do what with whose data. Everything is refused unless every rule below agrees.
#
# Input:
#   subject   {tenant, environment, purpose, roles}
#   resource  {tenant, environment, retention_until (RFC 3339), labels}
#   input_action
#
# Written in the syntax of Rego v0, as the packs in the field are.
package cos.abac

# The revision this policy was written for. `revisions` shows it beside the revision of the data, so that an
# answer which mixes two packs can be told from an honest one.
policy_revision := 1

permitted_environments := {"development", "staging", "production"}

read_actions := {"read", "list"}

default allow = false

allow {
	count(reasons) == 0
}

# One entry for every rule that does not agree.
reasons["tenant_mismatch"] {
	not same_tenant
}

reasons["environment_not_permitted"] {
	not environment_permitted
}

reasons["production_is_read_only"] {
	not action_fits_environment
}

reasons["purpose_not_permitted"] {
	not purpose_permitted
}

reasons["retention_expired"] {
	not retained
}

same_tenant {
	input.subject.tenant != ""
	input.subject.tenant == input.resource.tenant
}

environment_permitted {
	permitted_environments[input.subject.environment]
	input.subject.environment == input.resource.environment
}

action_fits_environment {
	input.resource.environment != "production"
	input.input_action != ""
}

action_fits_environment {
	read_actions[input.input_action]
}

# The purpose is known, and covers every label of the resource.
purpose_permitted {
	is_array(input.resource.labels)
	tags := data.cos.purpose_tags.purposes[input.subject.purpose]
	covered := {label | label := tags[_]}
	labels := {label | label := input.resource.labels[_]}
	count(labels - covered) == 0
}

retained {
	grace_ns := data.cos.retention.grace_seconds * 1000000000
	time.parse_rfc3339_ns(input.resource.retention_until) + grace_ns > time.now_ns()
}

# A legal hold keeps the data past its date.
retained {
	input.resource.labels[_] == data.cos.retention.legal_hold_labels[_]
}

default retention_revision = null

retention_revision = data.cos.retention.revision

default purpose_tags_revision = null

purpose_tags_revision = data.cos.purpose_tags.revision

# Equal numbers, unless the answer is torn.
revisions = {
	"policy": policy_revision,
	"data": retention_revision,
	"purpose_tags": purpose_tags_revision,
}

decision = {
	"allow": allow,
	"reasons": [reason | reasons[reason]],
	"revisions": revisions,
}
