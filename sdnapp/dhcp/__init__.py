"""DHCPv4 without a lease database: every answer comes from the row of the port that asked (RFC 2131, 2132).

``service`` turns rows into a ``PortService``; ``responder`` turns a request and a ``PortService`` into a reply;
``packet`` reads and writes frames; ``options`` reads what people write in ``extra_dhcp_opts``. All of it is pure:
no sockets, no clock, no state.
"""
