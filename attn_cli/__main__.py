"""`python -m attn_cli` is `attn`."""

from attn_cli.cli.app import main

main()
