"""`python -m instance.cli`: the same as `esanum`."""

from instance.cli import main

main()
