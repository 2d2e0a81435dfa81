"""The same hostile bytes at every server we run on."""
