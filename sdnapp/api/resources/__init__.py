"""The resources of the API, one module each: what it is called, its attributes, its view, and its business rules."""
