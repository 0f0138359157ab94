"""Errors as Neutron words them: ``{"NeutronError": {"type", "message", "detail"}}`` under the status of their class.

Business rules raise neutron-lib's exceptions or webob's HTTP errors; this module adds those that neutron-lib lacks.
"""

import logging

import netaddr
from neutron_lib import exceptions
from webob import Response, exc

from sdnapp.api.encoding import encoded
from sdnapp.turns import Turns
from topology.storage import ConflictError, StorageError

LOG = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (exceptions.NotFound, 404),
    (exceptions.Conflict, 409),
    (exceptions.InUse, 409),
    (exceptions.BadRequest, 400),
    (exceptions.ServiceUnavailable, 503),
    (exceptions.SubnetAllocationError, 409),
    (exceptions.NotAuthorized, 403),
    (netaddr.AddrFormatError, 400),
    (ConflictError, 503),
    (StorageError, 503),
)
_INTERNAL = "Request Failed: internal server error while processing your request."
# Messages quote what the client sent; what it sent may be megabytes.
_TOLD = ("Allow", "Retry-After")
_LONGEST_MESSAGE = 64 << 10


class IpAddressAlreadyAllocated(exceptions.Conflict):  # type: ignore[misc]
    """The address that was asked for belongs to another port."""

    message = "IP address %(ip)s already allocated in subnet %(subnet_id)s"


class IpAddressGenerationFailureNoMatchingSubnet(exceptions.IpAddressGenerationFailure):  # type: ignore[misc]
    """All subnets of the network are for ports of other owners."""

    message = (
        "No valid service subnet for the given device owner, network %(network_id)s, service type %(service_type)s."
    )


class PolicyNotAuthorized(exceptions.NotAuthorized):  # type: ignore[misc]
    """The caller's roles do not allow this; ``rule`` is the whole rule that was tried."""

    message = "%(rule)s is disallowed by policy"


class InvalidScope(exceptions.NotAuthorized):  # type: ignore[misc]
    """The token is for no project; ``scope`` is what it is for."""

    message = (
        "A token with project scope is required, request was made with %(scope)s: take one for a project "
        "(OS_PROJECT_NAME and OS_PROJECT_DOMAIN_NAME, without OS_SYSTEM_SCOPE and OS_DOMAIN_NAME)"
    )


class RevisionNumberConstraintFailed(exc.HTTPPreconditionFailed):  # type: ignore[misc]
    """If-Match named a revision that is not the current one."""

    def __init__(self, expected: int, current: int) -> None:
        super().__init__(detail=f"Constrained to {expected}, but current revision is {current}")


def invalid_input(message: str) -> exceptions.InvalidInput:
    """Return a 400 that says "Invalid input for operation: ``message``."."""
    return exceptions.InvalidInput(error_message=message)


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error: 500 for those that nobody foresaw."""
    if isinstance(error, exc.HTTPException):
        return int(error.code)
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def response_of(error: Exception, method: str, path: str) -> Response:
    """Return the answer to a request that failed; log what nobody foresaw, with its traceback."""
    status, kind, message = status_of(error), type(error).__name__, str(error)
    if status == 500:
        LOG.error("%s %s failed", method, path, exc_info=error)
        kind, message = "HTTPInternalServerError", _INTERNAL
    elif isinstance(error, ConflictError | StorageError):
        LOG.error("%s %s failed: %s", method, path, error)
    if len(message) > _LONGEST_MESSAGE:
        message = message[:_LONGEST_MESSAGE] + "..."
    body = {"NeutronError": {"type": kind, "message": message, "detail": ""}}
    response = json_response(body, status)
    if isinstance(error, exc.HTTPMethodNotAllowed | exc.HTTPTooManyRequests):
        response.headers.update({name: error.headers[name] for name in _TOLD if name in error.headers})
    return response


def json_response(body: object, status: int = 200) -> Response:
    """Return a response with a JSON body, which is sent in pieces; others have their turn in between."""
    pieces = encoded(body)
    return Response(
        app_iter=Turns().between(pieces) if len(pieces) > 1 else pieces,
        content_length=sum(map(len, pieces)),
        status=status,
        content_type="application/json",
        charset="UTF-8",
    )
