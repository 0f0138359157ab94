"""What the API reports that it can do. An alias stands here only while all of it works."""

from types import ModuleType
from typing import Any

from neutron_lib.api.definitions import (
    aap_reject_multicast,
    address_group,
    address_scope,
    agent,
    allowedaddresspairs,
    availability_zone,
    default_subnetpools,
    empty_string_filtering,
    external_net,
    extra_dhcp_opt,
    filter_validation,
    ip_substring_port_filtering,
    multiprovidernet,
    network_availability_zone,
    network_ip_availability,
    network_ip_availability_details,
    network_mtu,
    network_mtu_writable,
    pagination,
    port_mac_address_override,
    port_mac_address_regenerate,
    port_security,
    portbindings,
    portbindings_extended,
    project_id,
    provider_net,
    quota_check_limit,
    rbac_address_groups,
    rbac_address_scope,
    rbac_security_groups,
    rbac_subnetpool,
    revisionifmatch,
    security_groups_normalized_cidr,
    security_groups_port_filtering,
    security_groups_remote_address_group,
    security_groups_rules_belongs_to_default_sg,
    security_groups_shared_filtering,
    servicetype,
    sort_key_validation,
    sorting,
    stateful_security_group,
    subnet_external_network,
    subnet_service_types,
    tag_creation,
    tag_ports_during_bulk_creation,
)

_OF_NEUTRON_LIB: tuple[ModuleType, ...] = (
    aap_reject_multicast,
    address_group,
    address_scope,
    agent,
    allowedaddresspairs,
    availability_zone,
    default_subnetpools,
    empty_string_filtering,
    external_net,
    extra_dhcp_opt,
    filter_validation,
    ip_substring_port_filtering,
    multiprovidernet,
    network_availability_zone,
    network_ip_availability,
    network_ip_availability_details,
    network_mtu,
    network_mtu_writable,
    pagination,
    port_mac_address_override,
    port_mac_address_regenerate,
    port_security,
    portbindings,
    portbindings_extended,
    project_id,
    provider_net,
    quota_check_limit,
    rbac_address_groups,
    rbac_address_scope,
    rbac_security_groups,
    rbac_subnetpool,
    revisionifmatch,
    security_groups_normalized_cidr,
    security_groups_port_filtering,
    security_groups_remote_address_group,
    security_groups_rules_belongs_to_default_sg,
    security_groups_shared_filtering,
    servicetype,
    sort_key_validation,
    sorting,
    subnet_external_network,
    stateful_security_group,
    subnet_service_types,
    tag_creation,
    tag_ports_during_bulk_creation,
)
# Alias, name, description and date of those that neutron-lib does not hold, as Neutron reports them.
_OF_NEUTRON = (
    (
        "security-groups-default-rules",
        "Default rules for security groups",
        "Configure set of security group rules used as default rules for every new security group",
        "2022-12-19T10:00:00-00:00",
    ),
    ("security-group", "security-group", "The security groups extension.", "2012-10-05T10:00:00-00:00"),
    (
        "rbac-policies",
        "RBAC Policies",
        "Allows creation and modification of policies that control project access to resources.",
        "2015-06-17T12:15:12-00:00",
    ),
    (
        "subnet_allocation",
        "Subnet Allocation",
        "Enables allocation of subnets from a subnet pool",
        "2015-03-30T10:00:00-00:00",
    ),
    (
        "standard-attr-tag",
        "Tag support for resources with standard attribute: network, port, security_group, subnet, subnetpool",
        "Enables to set tag on resources with standard attribute.",
        "2017-01-01T00:00:00-00:00",
    ),
    (
        "quotas",
        "Quota management support",
        "Expose functions for quotas management per project",
        "2012-07-29T10:00:00-00:00",
    ),
    (
        "quota_details",
        "Quota details management support",
        "Expose functions for quotas usage statistics per project",
        "2017-02-10T10:00:00-00:00",
    ),
    (
        "standard-attr-description",
        "standard-attr-description",
        "Extension to add descriptions to standard attributes",
        "2016-02-10T10:00:00-00:00",
    ),
    (
        "standard-attr-revisions",
        "Resource revision numbers",
        "This extension will display the revision number of neutron resources.",
        "2016-04-11T10:00:00-00:00",
    ),
    (
        "standard-attr-timestamp",
        "Resource timestamps",
        "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.",
        "2016-09-12T10:00:00-00:00",
    ),
)


def _entry(alias: str, name: str, description: str, updated: str) -> dict[str, Any]:
    return {"alias": alias, "name": name, "description": description, "updated": updated, "links": []}


EXTENSIONS: dict[str, dict[str, Any]] = {
    entry["alias"]: entry
    for entry in sorted(
        (
            *(_entry(each.ALIAS, each.NAME, each.DESCRIPTION, each.UPDATED_TIMESTAMP) for each in _OF_NEUTRON_LIB),
            *(_entry(*each) for each in _OF_NEUTRON),
        ),
        key=lambda entry: str(entry["alias"]),
    )
}
"""Alias to what the API says about the extension."""
