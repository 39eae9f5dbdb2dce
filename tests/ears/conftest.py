"""Pipecat's own modules warn of what they deprecate when they are imported; we do not use that."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import pipecat.services.stt_service
    import pipecat.services.tts_service
    import pipecat.tests.utils  # noqa: F401
