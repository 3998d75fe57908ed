"""Redaction, the one place where it is decided what of a report may leave the machine.

Names, addresses, ids and secrets become placeholders such as `<host-1>`: the same original gets the same placeholder
throughout a report, and the placeholder keeps the class (a private address, a folder under a home), so that a redacted
report is judged like the original. Keys, versions, PCI ids and the paths inside an environment stay. Redacting what
is redacted already changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.explanation import Explained
from gpudoctor.model.fact import FactSpec
from gpudoctor.report.identities import (
    FIELD,
    HOME,
    HOST_VARIABLES,
    PLACEHOLDER,
    SHARED_HOMES,
    USER_VARIABLES,
    VARIABLE,
    WINDOWS_HOME,
    hide_identities,
    hide_prompts,
    is_address,
)
from gpudoctor.report.mapping import map_diagnosis, map_explained
from gpudoctor.report.secrets import hide_secrets, is_harmless, names_a_secret

# Names that everybody has tell nothing, and replacing them would only spoil the text.
GENERIC = frozenset(
    "root user users admin ubuntu debian centos fedora ec2-user jovyan node app appuser docker vscode coder runner "
    "worker nobody daemon localhost none unknown container gpu host master default me private public link local uuid "
    "secret email serial mac guid ip".split()
)
# Names that are also words: replaced where a path or an address shows that a name is meant.
ORDINARY = frozenset(
    "will may can mark art max min grace bill rob sue dean hope joy drew pat ray rich grant frank ernest faith guy "
    "jack june april august rose ruby robin olive iris jasmine dawn eve jean les lance miles norm pierce rod roman "
    "rusty sandy tex van wade ward wolf chase chip chuck clay cliff colt dale earl gene harry jay kit nick penny red "
    "storm torch cuda nvidia python train training test data model models driver library build dev prod server system "
    "linux machine memory kernel cluster compute conda base home work workspace project image version error warning "
    "note check pass fail new old the and for not with from this that one two all any none are was has had its our out "
    "run runs set use used see how what why who when where which then than also only".split()
)
_MAXIMUM_PASSES = 4
# A name of so many characters is one also where it is a part of a longer name.
_LEAST_WITHIN_NAMES = 5


class Redactor:
    """Replaces identities and secrets by placeholders, consistently over everything it is given.

    Learn first (`learn` over all texts of a report), then redact: a name that a fact gives away is then also found in
    a log line that came earlier. `hosts` and `users` are names that are known beforehand.
    """

    def __init__(
        self,
        specs: Mapping[str, FactSpec] | None = None,
        hosts: tuple[str, ...] = (),
        users: tuple[str, ...] = (),
    ) -> None:
        self._specs = specs or {}
        self._given: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}
        self._words: dict[str, str] = {}
        self._word_pattern: re.Pattern[str] | None = None
        for name in hosts:
            self._learn_name("host", name)
        for name in users:
            self._learn_name("user", name)

    def learn(self, text: str, key: str = "") -> None:
        """Take up the names in a text; `key` is the fact that it is the value of."""
        for match in PLACEHOLDER.finditer(text):
            kind = match[1].rstrip("-")
            self._last[kind] = max(self._last.get(kind, 0), int(match[2]))
        kind = self._kind_of(key)
        if kind:
            self._learn_name(kind, text)
        for pattern in (HOME, WINDOWS_HOME):
            for match in pattern.finditer(text):
                if "." not in match["user"].strip(".") or re.fullmatch(r"[a-z]{2,}\.[a-z]{3,}", match["user"]):
                    self._learn_name("user", match["user"])
        for match in VARIABLE.finditer(text):
            self._learn_name("host" if match["name"] in HOST_VARIABLES else "user", match["value"])
        for match in FIELD.finditer(text):
            self._learn_name("host", match["quoted"] or match["bare"])

    def redact(self, text: str, key: str = "") -> str:
        """The text without identities and secrets; `key` is the fact that it is the value of."""
        if not text:
            return text
        if key and names_a_secret(key.rpartition(".")[2]):
            return text if is_harmless(text) else self._hide_secret(text)
        kind = self._kind_of(key)
        if kind:
            whole = self._whole(kind, text)
            if whole != text:
                return whole
        for _ in range(_MAXIMUM_PASSES):
            before = text
            text = self._pass(text)
            if text == before:
                break
        return text

    def _pass(self, text: str) -> str:
        text = hide_secrets(text, self._hide_secret)
        for pattern in (HOME, WINDOWS_HOME):
            text = pattern.sub(self._home, text)
        text = hide_prompts(text, self._name)
        text = hide_identities(text, self._placeholder)
        return self._hide_words(text)

    def _home(self, match: re.Match[str]) -> str:
        return match[0] if match["user"] in SHARED_HOMES else self._placeholder("home", match["home"])

    def _hide_secret(self, text: str) -> str:
        return self._placeholder("secret", text)

    def _name(self, kind: str, text: str) -> str:
        return text if text.lower() in GENERIC else self._words.get(text) or self._placeholder(kind, text)

    def _placeholder(self, kind: str, original: str) -> str:
        known = self._given.get((kind, original))
        if known is None:
            self._last[kind] = self._last.get(kind, 0) + 1
            known = self._given[kind, original] = f"<{kind}-{self._last[kind]}>"
        return known

    def _kind_of(self, key: str) -> str:
        """What a fact's whole value is; empty where it is free text."""
        name = key.rpartition(".")[2].lower()
        if not name:
            return ""
        if name.upper() in HOST_VARIABLES or re.search(r"host_?names?$|node_?names?$|fqdn$|(?:^|_)domain_name$", name):
            return "host"
        if name.upper() in USER_VARIABLES or re.search(r"user_?names?$|(?:^|_)login_name$", name):
            return "user"
        spec = self._specs.get(key)
        if spec is None or not spec.private:
            return ""
        if re.search(r"serials?(?:_numbers?)?$", name):
            return "serial"
        if key in ("container.id", "machine.id") or name in ("container_id", "machine_id", "pod_uid"):
            return "container"
        return ""

    def _whole(self, kind: str, text: str) -> str:
        if PLACEHOLDER.search(text) or text.lower() in GENERIC or is_address(text):
            return text
        return self._words.get(text) or self._placeholder(kind, text)

    def _learn_name(self, kind: str, text: str) -> None:
        name = text.strip()
        harmless = len(name) < 2 or len(name) > 253 or name.lower() in GENERIC or name in SHARED_HOMES
        if harmless or name in self._words or PLACEHOLDER.search(name) or not re.search("[A-Za-z]{2}|[0-9]{5}", name):
            return
        if any(character.isspace() for character in name) or is_address(name) or names_a_secret(name):
            return
        placeholder = self._placeholder(kind, name)
        self._words[name] = placeholder
        short = name.split(".", 1)[0]
        if kind == "host" and short != name and len(short) > 2 and short.lower() not in GENERIC and not short.isdigit():
            self._words.setdefault(short, placeholder)
        self._word_pattern = None

    def _hide_words(self, text: str) -> str:
        if not self._words:
            return text
        if self._word_pattern is None:
            self._word_pattern = _any_of(self._words)
        return self._word_pattern.sub(lambda match: self._words[match[0]], text)


def redact_diagnosis(
    diagnosis: Diagnosis, specs: Mapping[str, FactSpec], hosts: tuple[str, ...] = (), users: tuple[str, ...] = ()
) -> Diagnosis:
    """The diagnosis with identities and secrets replaced in every value, message and quotation; no key changes."""
    redactor = Redactor(specs, hosts, users)

    def learn(text: str, key: str) -> str:
        redactor.learn(text, key)
        return text

    map_diagnosis(diagnosis, learn)
    return map_diagnosis(diagnosis, redactor.redact)


def redact_explained(explained: Explained, hosts: tuple[str, ...] = (), users: tuple[str, ...] = ()) -> Explained:
    """The same for an explanation: what it quotes may hold anything that a log can hold."""
    redactor = Redactor({}, hosts, users)

    def learn(text: str, key: str) -> str:
        redactor.learn(text, key)
        return text

    map_explained(explained, learn)
    return map_explained(explained, redactor.redact)


def hide_explained_secrets(explained: Explained) -> Explained:
    """Only the secrets replaced: for the eyes of who handed the evidence over, on a screen that others may see too."""
    known: dict[str, str] = {}

    def hide(secret: str) -> str:
        return known.setdefault(secret, f"<secret-{len(known) + 1}>")

    return map_explained(explained, lambda text, _key: hide_secrets(text, hide))


def _any_of(words: Mapping[str, str]) -> re.Pattern[str]:
    parts = []
    for word in sorted(words, key=lambda text: (-len(text), text)):
        literal = re.escape(word)
        if word.lower() in ORDINARY or (len(word) < 3 and word.isalpha()):
            parts.append(rf"(?<=[/~]){literal}(?![\w-])|(?<!_){literal}(?=@)")
        elif len(word) < _LEAST_WITHIN_NAMES:
            parts.append(rf"(?<!_){literal}(?![A-Za-z0-9_])")
        else:
            # Tools make folders such as /tmp/torchinductor_NAME of a user's name.
            parts.append(literal + "(?![A-Za-z0-9])")
    return re.compile(r"(?<![A-Za-z0-9<])(?:" + "|".join(parts) + ")")
