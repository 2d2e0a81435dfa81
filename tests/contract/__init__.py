"""One contract, two databases: every promise of `Store` is kept by both."""
