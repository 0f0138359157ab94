"""A project's whole intent as one document: written from the store, and applied to it as a difference.

``document`` says what the document looks like; ``export`` writes it, ``application`` brings the store in line with it.
Both are driven by what the resources declare: their attribute maps, and ``in_file``.
"""
