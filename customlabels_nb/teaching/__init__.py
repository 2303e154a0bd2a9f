"""Teach with notebooks: exercises that check their answers, and handouts for students and teachers."""

from __future__ import annotations

from customlabels_nb.teaching.exercises import Exercises
from customlabels_nb.teaching.handout import write_handout

__all__ = ["Exercises", "write_handout"]
