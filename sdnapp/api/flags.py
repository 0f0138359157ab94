"""Yes and no in the query of a request."""

from webob import Request, exc

_SAID = {"": False, "false": False, "0": False, "true": True, "1": True}


def flag(request: Request, name: str) -> bool:
    """Return whether a parameter says yes; without it, it says no. Raises HTTPBadRequest for what is neither."""
    text = request.GET.get(name, "").lower()
    if text not in _SAID:
        raise exc.HTTPBadRequest(f"{name} must be true or false and not '{text}'")
    return _SAID[text]
