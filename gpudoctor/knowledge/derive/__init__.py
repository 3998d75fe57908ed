"""Derived facts: typed three-valued functions from facts and tables to more facts; see `base`."""
