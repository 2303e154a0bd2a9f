"""The notebooks, executed from top to bottom, and what their text claims, checked.

For whoever writes notebook NN:

- ``uv run --extra test python -m tests.notebooks NN`` runs it in a fresh folder without a network, runs its checks, and
  writes its outputs into ``notebooks/NN_….ipynb``; ``--check`` only runs it and says what is stale; ``--keep FOLDER``
  leaves its folder for a look.
- ``tests/notebooks/checks/NN.py`` has its checks. ``after_<tag>(ns)`` runs in the kernel, right after each code cell
  that has the tag, ``at_end(ns)`` after the last one; ``ns["model"]`` is the cell's ``model``. ``outputs(notebook)``
  runs outside, with the executed notebook: ``tagged``, ``text_of``, ``html_of`` and ``pictures_of`` of
  :mod:`tests.notebooks.running` read a cell. A check without its cell is a failure. Plain ``assert`` with a message.
- A cell that raises fails the notebook; the tag ``raises-exception`` (Jupyter's own) is for one that is meant to, whose
  check then looks at what was said.
- Every public function that a cell calls must be missed when it is broken: ``python -m tests.notebooks.breaking NN``
  breaks them one after another (it does nothing; its value is wrong; with ``--raises`` also: it raises) and names those
  that neither a cell nor a check noticed. ``--only text`` takes those with the text in their name, ``--list`` lists.
- Committed outputs are kept when only numbers changed in a cell tagged ``varies``. Elsewhere a changed word, kind of
  output or source makes the notebook stale; changed numbers don't, as machines differ.
- The tag ``parameters`` is for the first cell, with what a reader may want to change.
- Names of versions carry the time unless they are given: ``project.train("first")`` keeps outputs from churning. The
  user is called "you".
- Prose names public functions in backticks only if some cell calls them (a quick test looks).
"""
