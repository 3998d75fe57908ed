"""The command line: Click and only Click. One command, one file."""
