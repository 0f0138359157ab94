"""OpenFlow sessions with switches: flows as bytes, read-back by cookie, differences in atomic bundles."""
