"""The operator's views, for administrators: chassis, flows, traces, and waiting for the switches."""

from webob import Request, Response, exc

from sdnapp.api.errors import PolicyNotAuthorized, json_response
from sdnapp.api.flags import flag
from sdnapp.api.resource import Context
from sdnapp.probes import probe

# Longer than any switch needs; a client that wants more asks again.
_LONGEST_WAIT = 3600.0


def health(ctx: Context, request: Request) -> Response:
    """``GET /healthz``, open to all: this process answers."""
    return json_response({"status": "ok"})


def chassis_list(ctx: Context, request: Request) -> Response:
    """``GET /sdnapp/chassis``."""
    _admins_only(ctx)
    return json_response({"chassis": ctx.services.operator.chassis()})


def chassis(ctx: Context, request: Request, chassis_id: str) -> Response:
    """``GET /sdnapp/chassis/{id}``."""
    _admins_only(ctx)
    found = ctx.services.operator.chassis_details(chassis_id)
    if found is None:
        raise _no_chassis(chassis_id)
    return json_response({"chassis": found})


def status(ctx: Context, request: Request) -> Response:
    """``GET /sdnapp/status``."""
    _admins_only(ctx)
    return json_response(ctx.services.operator.status())


def flows(ctx: Context, request: Request, chassis_id: str) -> Response:
    """``GET /sdnapp/flows/{chassis}?owner=&table=``."""
    _admins_only(ctx)
    owner, table = request.GET.get("owner") or None, request.GET.get("table") or None
    found = ctx.services.operator.flows(chassis_id, owner, table)
    if found is None:
        raise _no_chassis(chassis_id)
    return json_response(found)


def drops(ctx: Context, request: Request) -> Response:
    """``GET /sdnapp/drops?port=&chassis=``."""
    _admins_only(ctx)
    port, chassis_id = request.GET.get("port") or None, request.GET.get("chassis") or None
    try:
        found = ctx.services.operator.drops(port, chassis_id)
    except ValueError as error:
        raise exc.HTTPNotFound(str(error)) from error
    if found is None:
        raise _no_chassis(chassis_id or "")
    return json_response(found)


def gateways(ctx: Context, request: Request) -> Response:
    """``GET /sdnapp/gateways``."""
    _admins_only(ctx)
    return json_response(ctx.services.operator.gateways())


def restarts(ctx: Context, request: Request) -> Response:
    """``GET /sdnapp/restarts``."""
    _admins_only(ctx)
    return json_response({"restarts": ctx.services.operator.restarts()})


def holds(ctx: Context, request: Request) -> Response:
    """``GET /sdnapp/holds``."""
    _admins_only(ctx)
    return json_response({"holds": ctx.services.operator.holds()})


def trace(ctx: Context, request: Request) -> Response:
    """``GET /sdnapp/trace?to=&protocol=&to_port=&answer=``, with ``port=``, or ``from_outside=&source=&via=``."""
    _admins_only(ctx)
    given = request.GET
    port, network, to = (given.get(name) or None for name in ("port", "from_outside", "to"))
    if to is None or (port is None) == (network is None):
        raise exc.HTTPBadRequest(
            "Say where from and where to: ?port=PORT&to=ADDRESS or ?from_outside=NETWORK&to=ADDRESS"
        )
    operator, answer = ctx.services.operator, flag(request, "answer")
    try:
        sent = probe(given.get("protocol"), given.get("to_port"))
        if network is not None:
            sender = network, given.get("source"), given.get("via")
            return json_response(operator.trace_from_outside(*sender, to, sent, answer=answer))
        for name in ("source", "via"):
            if name in given:
                raise ValueError(
                    f"{name}: only what begins outside has it; say from_outside in place of port, or leave it"
                )
        return json_response(operator.trace(port or "", to, sent, answer=answer))
    except ValueError as error:
        raise exc.HTTPBadRequest(str(error)) from error


def realized(ctx: Context, request: Request) -> Response:
    """``GET /realized?wait=&revision=``: 200 when every live chassis confirmed the revision, 408 after the wait (s)."""
    _admins_only(ctx)
    seconds, revision = _seconds(request.GET.get("wait")), _revision(request.GET.get("revision"))
    wanted = ctx.store.revision if revision is None else revision
    done = ctx.services.operator.wait_realized(wanted, seconds)
    return json_response({"realized": done, "revision": wanted}, 200 if done else 408)


def metrics(ctx: Context, request: Request) -> Response:
    """``GET /metrics``: Prometheus's text format."""
    _admins_only(ctx)
    text = ctx.services.operator.metrics()
    return Response(text.encode(), content_type="text/plain", charset="UTF-8")


def _admins_only(ctx: Context) -> None:
    if not ctx.who.is_admin:
        raise PolicyNotAuthorized(rule="rule:admin_only")


def _no_chassis(chassis_id: str) -> exc.HTTPNotFound:
    return exc.HTTPNotFound(
        f"No chassis has the id {chassis_id}, or it is the host name of none or of several: "
        "`sdnapp chassis list` shows them."
    )


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text or 0)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise exc.HTTPBadRequest(f"wait must be seconds from 0 to {_LONGEST_WAIT:.0f} and not '{text}'")
    return seconds


def _revision(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise exc.HTTPBadRequest(f"revision must be a number of the store's and not '{text}'")
    return int(text)
