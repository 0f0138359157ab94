"""``sdnapp apply`` and ``sdnapp export`` over real HTTP, as people type them."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sdnapp.commands.main import main

ROOT = Path(__file__).parents[3]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "intent-file.md").read_text(), re.DOTALL)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(url: str, capsys, monkeypatch) -> Run:
    monkeypatch.setenv("SDNAPP_URL", url)

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def lab(tmp_path: Path, run: Run):
    """Write a file of a project that is empty again afterwards."""
    path = tmp_path / "lab.yaml"

    def write(text: str) -> str:
        path.write_text(f"project: lab\n{text}")
        return str(path)

    yield write
    assert run("apply", write(""))[0] == 0


BLUE = "networks:\n  - name: blue\n    subnets: [{cidr: 10.0.0.0/24, name: a}]\n    ports: [{name: vm1}, {name: vm2}]\n"


def test_a_file_is_planned_applied_changed_and_exported(run: Run, lab) -> None:
    path = lab(BLUE)
    plan = (
        "+ network blue\n+ subnet a in network blue\n    cidr: 10.0.0.0/24\n+ port vm1 in network blue\n"
        "+ port vm2 in network blue\n"
    )
    assert run("apply", "--dry-run", path) == (3, f"{plan}project lab: 4 to create\n", "")
    status, out, err = run("apply", path)
    assert (status, err) == (0, "") and out.endswith("project lab: 4 created\n")
    assert run("apply", path) == (0, "project lab is as the file says\n", "")
    assert run("apply", "--dry-run", path) == (0, "project lab is as the file says\n", "")

    path = lab(BLUE.replace("name: a", "name: b").replace(", {name: vm2}", "").replace("blue", "blue\n    mtu: 1400"))
    status, out, err = run("apply", path)
    assert (status, out, err) == (
        0,
        "- port vm2 in network blue\n~ network blue\n    mtu: 1450 -> 1400\n~ subnet b in network blue\n"
        "    name: a -> b\nproject lab: 2 updated, 1 deleted\n",
        "",
    )
    status, exported, _ = run("export", "--project", "lab")
    assert status == 0 and "    mtu: 1400\n" in exported
    assert run("apply", "-", stdin=exported) == (0, "project lab is as the file says\n", "")


def test_programs_get_json(run: Run, lab) -> None:
    made = json.loads(run("apply", "--json", lab(BLUE))[1])
    assert {change["action"] for change in made["changes"]} == {"create"} and all(c["id"] for c in made["changes"])
    exported = json.loads(run("--json", "export", "--project", "lab")[1])
    assert exported["networks"][0]["subnets"] == [{"name": "a", "cidr": "10.0.0.0/24"}]
    assert json.loads(run("apply", "-", "--json", stdin=json.dumps(exported))[1])["changes"] == []


def test_keep_deletes_nothing(run: Run, lab) -> None:
    run("apply", lab(BLUE))
    assert run("apply", "--keep", lab("")) == (0, "project lab is as the file says\n", "")
    assert run("apply", "--dry-run", lab(""))[0] == 3


def test_an_error_names_file_line_and_place(run: Run, lab) -> None:
    path = lab("networks:\n  - name: blue\n    subnets:\n      - cidr: 10.0.0.0/24\n      - cidr: ten\n")
    status, out, err = run("apply", path)
    assert (status, out) == (1, "")
    assert err.startswith(f"sdnapp: {path}:6: networks[0].subnets[1].cidr: Invalid input") and err.count("\n") == 1
    path = lab("networks: [\n")
    assert re.fullmatch(rf"sdnapp: {path}:3:1: .*\n", run("apply", path)[2])
    assert run("apply", lab("").replace("lab.yaml", "no.yaml"))[2].endswith("no.yaml: No such file or directory\n")
    assert "standard input: is empty" in run("apply", "-", stdin="# nothing\n")[2]
    assert "must be a mapping" in run("apply", "-", stdin="[]")[2]


def test_as_a_member(run: Run, lab) -> None:
    path = lab("networks: [{name: blue, shared: true}]\n")
    status, _, err = run("apply", "--member", "lab", path)
    assert status == 1 and "disallowed by policy" in err
    assert run("apply", path)[0] == 0
    assert "shared" not in run("export", "--member", "lab")[1]
    assert "shared: true" in run("export", "--project", "lab")[1]
    assert "you are a member of red" in run("apply", "--member", "red", path)[2]


def test_the_example_of_the_document_works(run: Run) -> None:
    text = (ROOT / "docs" / "intent-file.md").read_text()
    plan = re.search(r"```console\n\$ sdnapp apply --dry-run red.yaml\n(.*?)```", text, re.DOTALL)
    assert plan is not None
    assert run("apply", "--dry-run", "-", stdin=EXAMPLES[0]) == (3, plan[1], "")
    assert run("apply", "-", stdin=EXAMPLES[0])[0] == 0
    assert run("apply", "-", stdin=EXAMPLES[0])[1] == "project red is as the file says\n"
    exported = run("export", "--project", "red")[1]
    assert run("apply", "-", stdin=exported)[1] == "project red is as the file says\n"
    run("apply", "-", stdin="project: red\nquotas: {}\n")


@pytest.mark.parametrize("example", EXAMPLES[1:])
def test_the_other_examples_of_the_document_work(run: Run, lab, example: str) -> None:
    path = lab(example)
    assert run("apply", path)[0] == 0
    assert run("apply", path)[1] == "project lab is as the file says\n"
    exported = run("export", "--project", "lab")[1]
    assert run("apply", "-", stdin=exported)[1] == "project lab is as the file says\n"
