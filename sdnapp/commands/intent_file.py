"""A project's intent as YAML: read with the line of everything in it, and written so that it is read the same.

Text means what it looks like: of plain words, only ``true``, ``false``, ``null``, ``~`` and whole decimal numbers are
something else than text (YAML 1.2's core schema, less its other numbers). In YAML 1.1, ``no`` would be false and a MAC
address such as 52:54:00:12:34:56 a number in base 60.
"""

import json
import re
import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from sdnapp.commands.errors import CommandError

_PART = re.compile(r"[^.\[\]]+")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Safe: it makes no objects but lists, mappings and scalars."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that is there twice, of which YAML would keep the last."""
        seen: set[Any] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is there twice", key.start_mark)
            seen.add(name)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


class IntentFile:
    """A file that was read. ``document`` is what it says."""

    def __init__(self, name: str, text: str) -> None:
        """Raises CommandError, with line and column, for what is not YAML or more than JSON can say."""
        self.name = name
        loader = None
        try:
            loader = _Loader(text)
            self._root = loader.get_single_node()
            self.document = loader.construct_document(self._root) if self._root is not None else None
            json.dumps(self.document)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"{mark.line + 1}:{mark.column + 1}: " if mark is not None else ""
            raise CommandError(f"{name}:{where}{error.problem or error.context}") from None
        except yaml.YAMLError as error:
            raise CommandError(f"{name}: {error}") from None
        except (ValueError, TypeError, RecursionError) as error:
            raise CommandError(f"{name}: cannot be sent: {error}") from None
        finally:
            if loader is not None:
                loader.dispose()

    def line(self, place: str) -> int | None:
        """Return the line of a place such as ``networks[0].name``, or of the nearest one around it; None for none."""
        node, found = self._root, None
        for part in _PART.findall(place):
            if isinstance(node, yaml.MappingNode):
                key, node = next(((k, v) for k, v in node.value if k.value == part), (None, None))
                found = key.start_mark.line + 1 if key is not None else found
            elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
                node = node.value[int(part)]
                found = node.start_mark.line + 1
        return found


def read(path: str) -> IntentFile:
    """Read a file; ``-`` is the standard input. Raises CommandError."""
    name = "standard input" if path == "-" else path
    try:
        octets = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return IntentFile(name, octets.decode("utf-8-sig"))
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{name}: is not UTF-8 at octet {error.start}") from None


def write(document: dict[str, Any]) -> str:
    """Return a document as YAML."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30)
    return text


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes whatever some reader of YAML might take for something else than text."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the items of lists, as people do."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal parts out each time."""
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Escape what cannot be seen: left as it is, YAML takes some of it for the end of a line."""
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)
