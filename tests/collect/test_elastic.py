"""Holds the reading of torchrun's error file."""

from __future__ import annotations

import json

from collecting import collected
from gpudoctor.collect import elastic
from gpudoctor.collect.parsing import NOT_SET
from gpudoctor.model.fact import Reason
from memory_host import MemoryHost

PATH = "/tmp/torchelastic_x/none_y/attempt_0/3/error.json"


def facts_for(content: str):
    return collected(elastic, MemoryHost({PATH: content}, env={"TORCHELASTIC_ERROR_FILE": PATH}))


def test_a_python_exception():
    extra = {"py_callstack": "Traceback (most recent call last):\n  ...\n", "timestamp": "1763640000"}
    facts = facts_for(json.dumps({"message": {"message": "RuntimeError: boom", "extraInfo": extra}}))
    assert facts["elastic.error_message"] == "RuntimeError: boom"
    assert facts["elastic.error_callstack"].startswith("Traceback")
    assert facts["elastic.error_seconds"] == 1763640000


def test_a_plain_message():
    facts = facts_for('{"message": "Signal 9 (SIGKILL) received by PID 7"}')
    assert facts["elastic.error_message"].startswith("Signal 9")
    assert facts["elastic.error_seconds"].reason is Reason.NO_DATA


def test_a_torn_file():
    assert facts_for('{"message": {"mess')["elastic.error_message"].reason is Reason.UNPARSEABLE
    assert facts_for("[" * 100_000)["elastic.error_message"].reason is Reason.UNPARSEABLE


def test_no_error_file():
    facts = collected(elastic, MemoryHost(env={"TORCHELASTIC_ERROR_FILE": PATH}))
    assert facts["elastic.error_path"] == PATH
    assert facts["elastic.error_message"].reason is Reason.NO_DATA
    assert collected(elastic, MemoryHost())["elastic.error_path"] == NOT_SET
