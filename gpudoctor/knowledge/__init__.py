"""Judgement: rules and tables as data, and the logic that applies them to facts and evidence.

Pure but for reading rule files.
"""
