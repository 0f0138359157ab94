"""What exists: networks, subnets, ports, chassis and bindings, the store that keeps them, and what follows from them.

Pure: no sockets, no clock, no OpenFlow. Nothing of ours is imported here except this package itself.
"""
