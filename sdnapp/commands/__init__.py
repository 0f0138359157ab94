"""The ``sdnapp`` command: what operators ask of a running controller, and how a machine becomes a chassis.

Commands start quickly: they import neither os-ken nor the API's libraries, and speak to the controller over HTTP
(docs/operator-api.md). Each is one module; its ``add`` declares the arguments and names the function that runs it.
"""
