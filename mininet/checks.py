"""What a scenario claims, and what it saw."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Check:
    """One claim: what was looked at, what should be, what was, and whether that is good."""

    what: str
    expected: str
    seen: str
    ok: bool


@dataclass
class Checks:
    """All claims of a run, in order."""

    done: list[Check] = field(default_factory=list)

    def check(self, what: str, expected: object, seen: object, ok: bool | None = None) -> bool:
        """Note a claim. It holds if ``ok``, or where that is not given if ``seen`` equals ``expected``."""
        held = expected == seen if ok is None else ok
        self.done.append(Check(what, str(expected), str(seen), held))
        return held

    @property
    def hold(self) -> bool:
        """Whether there are claims, and all are good."""
        return bool(self.done) and all(check.ok for check in self.done)

    def __str__(self) -> str:
        rows = [(check.what, check.expected, check.seen, "yes" if check.ok else "NO") for check in self.done]
        return table(("check", "expected", "seen", "ok"), rows)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell, under a ruled head."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = [head, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
