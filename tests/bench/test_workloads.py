"""Each workload once, tiny, on each control plane that is installed. How long things take is never asserted."""

import shutil

import pytest

from tests.bench import catalogue
from tests.bench.results import OURS

pytestmark = pytest.mark.root

SUBJECTS = [
    OURS,
    pytest.param("ovn", marks=pytest.mark.skipif(not shutil.which("ovn-northd"), reason="OVN is not installed")),
]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_bulk(subject: str) -> None:
    found = measured("bulk", subject, 60)
    assert found["all ports in force"] >= found["requests answered and interfaces claimed"]
    assert found["flows on a chassis"] > 60


def measured(name: str, subject: str, size: int) -> dict[str, float]:
    workload = catalogue.WORKLOADS[name]
    starts = {subject: catalogue.control_plane(subject)}
    figures = list(workload.run(starts, [size], rounds=1))
    assert all(figure.present == size and figure.values[subject].samples for figure in figures)
    return {figure.what: figure.values[subject].median for figure in figures}
