"""What Tempest found: outcomes by class, the reason of each failure and skip, and docs/tempest.md."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "tempest.md"
UNEXPLAINED = "**to be looked at**"
SUITES = {"tempest": "tempest.api.network", "neutron-tempest-plugin": "neutron_tempest_plugin.api"}
_STATUSES = ("success", "fail", "skip")
# What in a failed test's id, traceback or log tells the reason; the first that is found counts.
_REASONS = (
    (r"Unrecognized attribute\(s\) 'is_default'", "`auto-allocated-topology` is not served"),
    (
        r"(distributed|ha) must be true or left out",
        "on purpose: every router is [distributed and highly available](api-differences.md)",
    ),
    (
        r"test_delete_ha_router_keeps_ha_network_segment_data",
        "on purpose: routers are highly available without a network for it",
    ),
    (r"is of type geneve: it leads nowhere", "on purpose: [an overlay leads nowhere](api-differences.md)"),
    (
        r"test_associate_floating_ip_with_port_from_another_project",
        "on purpose: another project's port is [not found](api-differences.md), rather than refused",
    ),
    (
        r"test_list_network_filter_provider_attributes",
        "on purpose: no [filter](api-differences.md) tells a caller what he may not see",
    ),
)
_HEAD = """\
# Tempest

<!-- Made by `./run tempest`. -->

OpenStack's own tests of the network API, unmodified from PyPI, against a real `osken-manager sdnapp` without switches.
`./run tempest` installs them beside the project, runs them and makes this page; `./run tempest REGEX` runs some.
Keystone is a stand-in: it gives out projects, users and tokens, and turns a token into the headers that `noauth`
takes. Tempest is told which extensions we report, that there is no IPv6, and of no other service. A class that is
skipped as a whole, or that fails before its first test, counts as one.
"""


@dataclass(frozen=True)
class Outcome:
    """One test, or a whole class that did not come to its tests. ``reason`` says why it did not pass."""

    suite: str
    module: str
    name: str
    status: str
    reason: str


def outcomes(tests: Iterable[dict[str, Any]]) -> list[Outcome]:
    """Return what the tests came to. Each has ``id``, ``status``, ``skipped`` and ``text``."""
    return [found for test in tests if (found := _outcome(test)) is not None]


def _outcome(test: dict[str, Any]) -> Outcome | None:
    of_class = re.fullmatch(r"(?:setUpClass|tearDownClass) \((\S+)\)", test["id"])
    dotted = of_class[1] if of_class else re.sub(r"\[.*", "", test["id"]).rpartition(".")[0]
    module, _, name = dotted.rpartition(".")
    suite = next((suite for suite, package in SUITES.items() if module.startswith(package)), None)
    if suite is None:
        return None
    status = test["status"] if test["status"] in _STATUSES else "fail"
    reason = {"success": "", "skip": _skip_reason(test["skipped"])}.get(status)
    module = module.removeprefix(SUITES[suite] + ".")
    return Outcome(suite, module, name, status, _failure_reason(test) if reason is None else reason)


def _failure_reason(test: dict[str, Any]) -> str:
    text = f"{test['id']}\n{test['text']}"
    return next((reason for pattern, reason in _REASONS if re.search(pattern, text, re.DOTALL)), UNEXPLAINED)


def _skip_reason(text: str) -> str:
    extension = re.search(r"(?:extension: )?(\S+?) (?:extension )?(?:is )?not enabled", text)
    if (extension and extension[1] == "IPv6") or "IPv6 Tests are disabled" in text:
        return "IPv6"
    return f"`{extension[1]}`" if extension else text.strip().rstrip(".")


def unexplained(found: Iterable[Outcome]) -> list[Outcome]:
    """Return the failures whose reason is not known."""
    return [each for each in found if each.reason == UNEXPLAINED]


def counts(found: Iterable[Outcome]) -> str:
    """Return passed, failed and skipped in words."""
    number = Counter(each.status for each in found)
    return f"{number['success']} passed, {number['fail']} failed, {number['skip']} skipped"


def render(found: list[Outcome], versions: dict[str, str], seconds: float) -> str:
    """Return docs/tempest.md."""
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [_HEAD, f"With {said}: **{counts(found)}**, in {seconds:.0f} seconds.", ""]
    lines += [*_failures(found), ""]
    for suite in SUITES:
        of_suite = [each for each in found if each.suite == suite]
        lines += [f"## {suite}", "", f"{counts(of_suite)}.", "", *_table(of_suite), ""]
    return "\n".join(lines).rstrip() + "\n"


def _failures(found: list[Outcome]) -> Iterator[str]:
    reasons = Counter(each.reason for each in found if each.status == "fail")
    yield "| failed because | tests |"
    yield "|---|---:|"
    for reason, number in reasons.most_common():
        yield f"| {reason} | {number} |"


def _table(found: list[Outcome]) -> Iterator[str]:
    yield "| class | passed | failed | skipped | why |"
    yield "|---|---:|---:|---:|---|"
    for module, name in sorted({(each.module, each.name) for each in found}):
        own = [each for each in found if (each.module, each.name) == (module, name)]
        number = Counter(each.status for each in own)
        shown = " | ".join(str(number[status] or "") for status in _STATUSES)
        yield f"| `{module}.{name}` | {shown} | {_why(own)} |"


def _why(own: list[Outcome]) -> str:
    failed, skipped = (sorted({each.reason for each in own if each.status == status}) for status in ("fail", "skip"))
    without = [reason for reason in skipped if reason.startswith("`") or reason == "IPv6"]
    missing = [f"skipped without {', '.join(without)}"] if without else []
    return "; ".join([*failed, *missing, *(f"skipped: {each}" for each in skipped if each not in without)])
