"""``/openapi.json``: the API as an OpenAPI 3.1 document, made of what resources declare and of what is routed."""
