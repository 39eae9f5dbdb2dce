"""What is logged of an error: where it happened, never what was in hand there."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: logging is configured once for a whole process.
_FAILING = """
import structlog
from greenroom.logs import configure_logs

def failing(token):
    raise ValueError("broken")

configure_logs("info", as_json={as_json})
try:
    failing("".join(["what", "was", "said"]))
except ValueError:
    structlog.get_logger("greenroom.test").exception("test.uncaught")
"""


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_no_local_variables(as_json: bool) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _FAILING.format(as_json=as_json)],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert "ValueError: broken" in ran.stderr
    assert "failing" in ran.stderr
    assert "whatwassaid" not in ran.stderr


_LAST_WORDS = """
import structlog
from greenroom.logs import configure_logs

configure_logs("info", as_json=False)
last_words = "Traceback:\\n  in bot.py\\nKeyError"
structlog.get_logger("greenroom.test").error("bot.broke", last_words=last_words)
"""


def test_last_words_are_lines_for_people() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _LAST_WORDS], capture_output=True, check=True, text=True, timeout=60
    )
    assert ran.stderr.splitlines()[1:] == ["Traceback:", "  in bot.py", "KeyError"]
