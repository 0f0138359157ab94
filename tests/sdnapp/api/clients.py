"""Unmodified clients in processes of their own: how tests start them and what they run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}


def python(module: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", module]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=ROOT, env=ENVIRONMENT
    )


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


class Shell:
    """The ``openstack`` command, as an administrator or as a member of a project.

    ``keystone=NAME`` in place of a project is an administrator who logged in to that project: some commands need that.
    A process keeps to the first identity that it had, so there is one for each.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def run(self, command: str, tenant: str = "") -> tuple[int, str, str]:
        if tenant not in self._processes:
            self._processes[tenant] = python("tests.sdnapp.api.openstack_shell")
        process = self._processes[tenant]
        who = ["--os-auth-type", "none", "--os-endpoint", self._url]
        if tenant.startswith("keystone="):
            project = ["--os-project-name", tenant.partition("=")[2], "--os-project-domain-id", "default"]
            user = ["--os-username", "somebody", "--os-password", "any", "--os-user-domain-id", "default"]
            who = ["--os-auth-type", "v3password", "--os-auth-url", f"{self._url}/identity/v3", *user, *project]
        elif tenant:
            who = ["--os-auth-type", "http_basic", "--os-username", tenant, "--os-password", "any"]
            who += ["--os-endpoint", self._url]
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([*who, *command.split()]) + "\n")
        code, out, err = json.loads(process.stdout.readline())
        return code, out, err

    def __call__(self, command: str, tenant: str = "") -> Any:
        """Run a command that works; return what it shows."""
        shows = not {"create", "show", "list"}.isdisjoint(command.split()[1:5])
        code, out, err = self.run(f"{command} -f json" if shows else command, tenant)
        assert code == 0, (command, out, err)
        return json.loads(out) if shows else None

    def fails(self, command: str, tenant: str = "") -> str:
        """Run a command that does not work; return what it says."""
        code, out, err = self.run(command, tenant)
        assert code != 0, (command, out)
        return err

    def close(self) -> None:
        for process in self._processes.values():
            end(process)
