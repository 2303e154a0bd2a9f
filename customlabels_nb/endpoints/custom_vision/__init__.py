"""Answer programs written for Azure Custom Vision.

A request goes through these modules: ``custom_vision_endpoint`` checks its key and writes the answer, ``routes`` finds
its operation in one table, ``calls`` reads its values, and the operation is a function in a module by subject, such as
``image_operations``. Operations take a :class:`~customlabels_nb.endpoints.custom_vision.calls.Call` and return the JSON
value of the answer, None for an empty one, or an :class:`~customlabels_nb.endpoints.http_messages.Answer`. Errors are
``ServiceError`` with one of the service's codes. To add an operation, write such a function and put it in the row of
its name in ``routes``.

Images, annotations, labels and versions are those of the project. What only this service knows is noted in its
store, and ``project_records`` combines the two.
"""
