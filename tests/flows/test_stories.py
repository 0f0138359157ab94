"""The stories, in the simulator."""

import pytest

from tests.clouds import SimulatedCloud
from tests.packet_stories import STORIES


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story(story):
    story(SimulatedCloud())
