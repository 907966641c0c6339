# Who may do what with whose data. Everything is refused unless every rule below agrees.
#
# Input:
#   subject   {tenant, environment, purpose, roles}
#   resource  {tenant, environment, retention_until (RFC 3339), labels}
#   input_action
package cos.abac

# The revision this policy was written for. `revisions` shows it beside the revision of the data, so that an
# answer which mixes two packs can be told from an honest one.
policy_revision := 1

permitted_environments := {"development", "staging", "production"}

read_actions := {"read", "list"}

default allow := false

allow if count(reasons) == 0

# One entry for every rule that does not agree.
reasons contains "tenant_mismatch" if not same_tenant

reasons contains "environment_not_permitted" if not environment_permitted

reasons contains "production_is_read_only" if not action_fits_environment

reasons contains "purpose_not_permitted" if not purpose_permitted

reasons contains "retention_expired" if not retained

same_tenant if {
	input.subject.tenant != ""
	input.subject.tenant == input.resource.tenant
}

environment_permitted if {
	input.subject.environment in permitted_environments
	input.subject.environment == input.resource.environment
}

action_fits_environment if {
	input.resource.environment != "production"
	input.input_action != ""
}

action_fits_environment if input.input_action in read_actions

# The purpose is known, and covers every label of the resource.
purpose_permitted if {
	is_array(input.resource.labels)
	tags := data.cos.purpose_tags.purposes[input.subject.purpose]
	covered := {label | some label in tags}
	labels := {label | some label in input.resource.labels}
	count(labels - covered) == 0
}

retained if {
	grace_ns := data.cos.retention.grace_seconds * 1000000000
	time.parse_rfc3339_ns(input.resource.retention_until) + grace_ns > time.now_ns()
}

# A legal hold keeps the data past its date.
retained if {
	some label in input.resource.labels
	label in data.cos.retention.legal_hold_labels
}

default retention_revision := null

retention_revision := data.cos.retention.revision

default purpose_tags_revision := null

purpose_tags_revision := data.cos.purpose_tags.revision

# Equal numbers, unless the answer is torn.
revisions := {
	"policy": policy_revision,
	"data": retention_revision,
	"purpose_tags": purpose_tags_revision,
}

decision := {
	"allow": allow,
	"reasons": [reason | some reason in reasons],
	"revisions": revisions,
}
