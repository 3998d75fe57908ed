"""The version as a literal: reading it from installed metadata would cost more than `explain-exit` does."""

VERSION = "0.1.0"
