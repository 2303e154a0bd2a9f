"""Execute the notebooks from top to bottom and check the claims of their text.

For authors of notebook NN:

- ``uv run --extra test python -m tests.notebooks NN`` runs it in a new folder without network, runs its checks, and
  writes its outputs into ``notebooks/NN_….ipynb``.
- ``tests/notebooks/checks/NN.py`` contains its checks: that what its sentences claim is true. ``after_<tag>(ns)`` runs
  in the kernel, right after the code cell that has the tag. ``ns["model"]`` is the cell's ``model``. A check without
  its cell fails. What a call returns is tested where the call is tested, and outputs are compared with the committed
  ones.
- A cell that raises fails the notebook. The tag ``raises-exception`` (Jupyter's own) is for one that is meant to raise,
  whose check then verifies the message.
- The first tier runs all cells without checks, on small photos and with a short training (``brief.py``), the thorough
  one runs the notebook as it is.
- Committed outputs are kept if only numbers changed in a cell tagged ``varies``. Elsewhere a changed word, kind of
  output or source makes the notebook stale. Changed numbers do not, as machines differ.
- The tag ``parameters`` is for the first cell, with everything a reader may want to change. ``widget`` is for a cell
  that shows a widget, whose screenshot is committed.
- Names of versions contain the time unless they are given: ``project.train("first")`` keeps outputs stable. The user is
  called "you".
- Prose names public functions in backticks only if some cell calls them (a fast test checks this).
"""
