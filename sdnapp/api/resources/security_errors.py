"""Errors of security groups and their rules, which neutron-lib lacks, in Neutron's words."""

from neutron_lib import constants, exceptions

PROTOCOLS = (None, "any", *constants.IP_PROTOCOL_MAP)
"""What a rule's protocol may be called, besides numbers."""
ETHERTYPES = [constants.IPv4, constants.IPv6]


class SecurityGroupNotFound(exceptions.NotFound):  # type: ignore[misc]
    """There is no such group, or the caller may not see it."""

    message = "Security group %(id)s does not exist"


class SecurityGroupInUse(exceptions.InUse):  # type: ignore[misc]
    """Ports have it."""

    message = "Security Group %(id)s in use."


class SecurityGroupCannotRemoveDefault(exceptions.InUse):  # type: ignore[misc]
    """Each project has its default group."""

    message = "Insufficient rights for removing default security group."


class SecurityGroupCannotUpdateDefault(exceptions.InUse):  # type: ignore[misc]
    """The default group keeps its name."""

    message = "Updating default security group not allowed."


class SecurityGroupDefaultAlreadyExists(exceptions.InUse):  # type: ignore[misc]
    """No other group may have the name of the default group."""

    message = "Default security group already exists."


class SecurityGroupConflict(exceptions.Conflict):  # type: ignore[misc]
    """Groups that cannot be on one port together."""

    message = "Error %(reason)s while attempting the operation."


class SecurityGroupRuleNotFound(exceptions.NotFound):  # type: ignore[misc]
    """There is no such rule, or the caller may not see it."""

    message = "Security group rule %(id)s does not exist"


class SecurityGroupRuleExists(exceptions.InUse):  # type: ignore[misc]
    """The group has a rule that says the same."""

    message = "Security group rule already exists. Rule id is %(rule_id)s."


class DuplicateSecurityGroupRuleInPost(exceptions.InUse):  # type: ignore[misc]
    """Two rules of one request say the same."""

    message = "Duplicate Security Group Rule in POST."


class DefaultSecurityGroupRuleNotFound(exceptions.NotFound):  # type: ignore[misc]
    """There is no such template."""

    message = "Default Security Group rule %(id)s does not exist"


class DefaultSecurityGroupRuleExists(exceptions.InUse):  # type: ignore[misc]
    """A template for the same groups says the same."""

    message = "Default Security group rule already exists. Rule id is %(rule_id)s."


class SecurityGroupNotSingleGroupRules(exceptions.InvalidInput):  # type: ignore[misc]
    """The rules of one request belong to one group."""

    message = "Only allowed to update rules for one security profile at a time"


class SecurityGroupRulesNotSingleProject(exceptions.InvalidInput):  # type: ignore[misc]
    """The rules of one request belong to one project."""

    message = "Multiple project_ids in bulk security group rule create not allowed"


class SecurityGroupRuleInvalidProtocol(exceptions.InvalidInput):  # type: ignore[misc]
    """Neither a known name nor a number of eight bits."""

    message = (
        "Security group rule protocol %(protocol)s not supported. Only protocol values %(values)s and integer "
        "representations [0 to 255] are supported."
    )


class SecurityGroupRuleInvalidEtherType(exceptions.InvalidInput):  # type: ignore[misc]
    """Neither IPv4 nor IPv6."""

    message = "Security group rule for ethertype '%(ethertype)s' not supported. Allowed values are %(values)s."


class SecurityGroupRuleParameterConflict(exceptions.InvalidInput):  # type: ignore[misc]
    """A prefix of the other version of IP."""

    message = "Conflicting value ethertype %(ethertype)s for CIDR %(cidr)s"


class SecurityGroupEthertypeConflictWithProtocol(exceptions.InvalidInput):  # type: ignore[misc]
    """A protocol that only IPv6 has."""

    message = "Invalid ethertype %(ethertype)s for protocol %(protocol)s."


class SecurityGroupMultipleRemoteEntites(exceptions.InvalidInput):  # type: ignore[misc]
    """A rule names one kind of remote at most; clients know the error by this spelling."""

    message = "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided."


class SecurityGroupProtocolRequiredWithPorts(exceptions.InvalidInput):  # type: ignore[misc]
    """Ports mean nothing without a protocol."""

    message = "Must also specify protocol if port range is given."


class SecurityGroupInvalidProtocolForPort(exceptions.InvalidInput):  # type: ignore[misc]
    """The protocol has no ports."""

    message = (
        "Ports cannot be specified for protocol %(protocol)s. Ports are only supported for %(valid_port_protocols)s."
    )


class SecurityGroupInvalidPortValue(exceptions.InvalidInput):  # type: ignore[misc]
    """No port has this number."""

    message = "Invalid value for port %(port)s"


class SecurityGroupInvalidPortRange(exceptions.InvalidInput):  # type: ignore[misc]
    """A range has two ends, in order."""

    message = "For TCP/UDP protocols, port_range_min must be <= port_range_max"


class SecurityGroupInvalidIcmpValue(exceptions.InvalidInput):  # type: ignore[misc]
    """Types and codes have eight bits."""

    message = "Invalid value for ICMP %(field)s (%(attr)s) %(value)s. It must be 0 to 255."


class SecurityGroupMissingIcmpType(exceptions.InvalidInput):  # type: ignore[misc]
    """A code means nothing without its type."""

    message = "ICMP code (port-range-max) %(value)s is provided but ICMP type (port-range-min) is missing."
