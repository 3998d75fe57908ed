"""Printing: a diagnosis or an explanation in one format each. Nothing else prints."""
