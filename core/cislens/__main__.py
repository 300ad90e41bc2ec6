"""`python -m cislens` is the command line."""

from cislens.cli import main

main()
