"""How long browser tests wait."""

from __future__ import annotations

#: Seconds that a test waits for a state. A state that holds is seen at once, and a busy machine takes long.
PATIENCE = 180
