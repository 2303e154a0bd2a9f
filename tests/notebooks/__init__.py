"""Execute the notebooks from top to bottom and check the claims of their text.

For authors of notebook NN:

- ``uv run --extra test python -m tests.notebooks NN`` runs it in a new folder without network, runs its checks, and
  writes its outputs into ``notebooks/NN_….ipynb``. ``--check`` only runs it and reports stale outputs.
  ``--keep FOLDER`` keeps its folder for inspection.
- ``tests/notebooks/checks/NN.py`` contains its checks. ``after_<tag>(ns)`` runs in the kernel, right after each code
  cell that has the tag, ``at_end(ns)`` after the last one. ``ns["model"]`` is the cell's ``model``.
  ``outputs(notebook)`` runs outside, with the executed notebook: ``tagged``, ``text_of``, ``html_of`` and
  ``pictures_of`` of :mod:`tests.notebooks.running` read a cell. A check without its cell fails. Use plain ``assert``
  with a message.
- A cell that raises fails the notebook. The tag ``raises-exception`` (Jupyter's own) is for one that is meant to raise,
  whose check then verifies the message.
- Breaking any public function that a cell calls must be noticed: ``python -m tests.notebooks.breaking NN`` breaks them
  one after another (it does nothing, its value is wrong, or with ``--raises``, it raises) and prints those that neither
  a cell nor a check noticed. ``--only text`` selects those with the text in their name, ``--list`` lists them.
- Committed outputs are kept if only numbers changed in a cell tagged ``varies``. Elsewhere a changed word, kind of
  output or source makes the notebook stale. Changed numbers do not, as machines differ.
- The tag ``parameters`` is for the first cell, with everything a reader may want to change.
- Names of versions contain the time unless they are given: ``project.train("first")`` keeps outputs stable. The user is
  called "you".
- Prose names public functions in backticks only if some cell calls them (a fast test checks this).
"""
