"""The Neutron v2.0 API and the operator's views, as one WSGI application without sockets: ``wsgi.make_app``.

A request travels ``wsgi`` (routing) -> ``identity`` (who asks) -> ``controller`` (any resource) -> ``attributes`` (what
the body may hold) -> ``policy`` (who may) -> ``resources`` (business rules, one transaction) -> a view of the row.
"""

from sdnapp.api import lean_neutron_lib

lean_neutron_lib.load()
