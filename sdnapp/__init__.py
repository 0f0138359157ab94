"""The world: the os-ken application, sessions with switches, REST, persistence and commands.

``osken-manager sdnapp`` loads ``sdnapp.app``. This package itself imports nothing, so that commands start quickly.
"""
