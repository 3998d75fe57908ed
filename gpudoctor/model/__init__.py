"""The vocabulary: frozen types that every other part speaks in. Standard library only; no input, no output."""
