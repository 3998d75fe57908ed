"""Lets `python -m gpudoctor` do what the `gpudoctor` command does."""

from gpudoctor.cli.entry import main

if __name__ == "__main__":
    main()
