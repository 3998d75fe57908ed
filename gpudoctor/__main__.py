"""Lets `python -m gpudoctor` do what the `gpudoctor` command does."""

from gpudoctor.cli.main import main

if __name__ == "__main__":
    main()
