"""Sixty kinds of secrets and identities, each in a sentence as it occurs, to be planted wherever the tool reads.

They are put together when the tests run, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

LETTERS = "qZ7wX4eR9tY2uI8oP3aS6dF1gH5jK0lC"
HEX = "7be2438655aa01fe92cd37b84f1a9c0d"
WORD = "staple" + "Battery8Horse"
USER = "hopper" + "grace7"
HOST = "babbage" + "-12"
USELESS = "9" * 6


@dataclass(frozen=True)
class Planted:
    """One kind: a sentence, and what of it must be in no output."""

    kind: str
    sentence: str
    hidden: str

    def forms(self) -> Iterator[bytes]:
        """How it could stand in an output: as it is, and escaped."""
        for text in {self.hidden, json.dumps(self.hidden)[1:-1]}:
            yield text.encode()


def _of_format() -> Iterator[tuple[str, str, str]]:
    """Tokens that their own format gives away, in the middle of a sentence."""
    for kind, parts in (
        ("hugging face", ("h", "f_", LETTERS)),
        ("openai", ("s", "k-proj-", LETTERS)),
        ("anthropic", ("s", "k-ant-api03-", LETTERS)),
        ("github classic", ("gh", "p_", LETTERS, "Ab12")),
        ("github server", ("gh", "s_", LETTERS, "Cd34")),
        ("github fine", ("github", "_pat_", LETTERS)),
        ("gitlab", ("gl", "pat-", LETTERS[:20])),
        ("gitlab runner", ("gl", "rt-", LETTERS[:20])),
        ("slack bot", ("xo", "xb-", "210987654321-", LETTERS[:24])),
        ("aws id", ("AK", "IA", "ZYXW9876VUTS5432")),
        ("aws temporary id", ("AS", "IA", "ZYXW9876VUTS5432")),
        ("jwt", ("ey", "JhbGciOi", ".", "eyJzdWIi", LETTERS, ".", LETTERS)),
        ("npm", ("np", "m_", LETTERS, "ab12")),
        ("pypi", ("py", "pi-", "AgEIcHlwaS5vcmc", LETTERS)),
        ("google", ("AI", "za", LETTERS, "xyz")),
        ("google oauth", ("ya", "29.", LETTERS)),
        ("docker hub", ("dckr", "_pat_", LETTERS[:27])),
        ("nvidia", ("nv", "api-", LETTERS, LETTERS)),
        ("replicate", ("r", "8_", LETTERS, "Zz9")),
        ("groq", ("gs", "k_", LETTERS, LETTERS[:20])),
        ("runpod", ("rp", "a_", LETTERS)),
        ("vault", ("hv", "s.", LETTERS)),
        ("sendgrid", ("S", "G.", LETTERS[:22], ".", LETTERS)),
        ("stripe", ("s", "k_live_", LETTERS[:24])),
        ("databricks", ("da", "pi", HEX)),
        ("tailscale", ("ts", "key-auth-", LETTERS[:20])),
        ("telegram", ("987654321", ":AA", LETTERS, "q")),
    ):
        token = "".join(parts)
        yield kind, f"refused {token} here", token


def _named() -> Iterator[tuple[str, str, str]]:
    """What only the words before it give away."""
    yield "aws key", "aws_secret_access_key = {}", LETTERS + "+/Ab12Cd"
    yield "aws session", "AWS_SESSION_TOKEN={}", LETTERS + LETTERS
    yield "wandb", "WANDB_API_KEY={}", HEX + "abcd1234"
    yield "netrc", "machine api.example.org login bot password {}", "n" + WORD
    yield "bearer", "Authorization: Bearer {}", "b" + LETTERS
    yield "basic", "authorization: basic {}", "c" + LETTERS[:24]
    yield "cookie", "Cookie: session={}", "k" + LETTERS
    yield "password in a URL", "https://bot:{}@pypi.example.org/simple", "u" + WORD
    yield "token in a URL", "https://{}@git.example.org/team/repo.git", "t" + LETTERS
    yield "database", "postgresql://app:{}@db:5432/runs", "d" + WORD
    yield "redis", "redis://:{}@cache:6379/0", "r" + WORD
    yield "proxy", "HTTPS_PROXY=http://carrier:{}@proxy:3128", "p" + WORD
    yield "signed address", "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={}", HEX + HEX
    yield "azure storage", "AccountName=x;AccountKey={};EndpointSuffix=y", LETTERS + LETTERS + "=="
    yield "password", "password={}", "e" + WORD
    yield "password in a shell", "export DB_PASSWORD='{}'", "s" + WORD
    yield "password in JSON", '{{"password": "{}"}}', "j" + WORD
    yield "client secret", "client_secret={}", "v" + WORD
    yield "api key", "x-api-key: {}", "x" + WORD
    yield "token option", "tool login --token {}", "o" + WORD
    yield "some service", "MY_SERVICE_KEY={}", "m" + WORD
    yield "webhook", "https://hooks.slack.com/services/{}", "T9ZY87XW6/B9ZY87XW6/" + LETTERS[:24]


def _identities() -> Iterator[tuple[str, str, str]]:
    yield "e-mail", "written by {}", f"{USER}@example.org"
    yield "home", "in {}/run/train.py", f"/home/{USER}"
    yield "user", "/home/{0}/x belongs to {0}", USER
    yield "host", "HOSTNAME={0} and {0} died", HOST
    yield "GPU's UUID", "GPU-{}", "5d2c1b0a-1111-2222-3333-9f8e7d6c5b4a"
    yield "MIG's UUID", "MIG-{}", "6e3d2c1b-4444-5555-6666-0a9b8c7d6e5f"
    yield "pod", "kubepods-burstable-pod{}.slice", "7f4e3d2c_7777_8888_9999_1b0a9c8d7e6f"
    yield "serial", "Serial Number : {}", "1650921" + USELESS
    yield "MAC", "link/ether {} brd", "02:42:9c:1d:7e:5f"
    yield "container", "0::/system.slice/docker-{}.scope", HEX + HEX[::-1]
    yield "private address", "connect to {}:29500", "10.77.3.91"
    yield "public address", "from {} port 22", "93.184.77.91"
    yield "IPv6 address", "addr {}/64", "fe80::9c:1dff:fe7e:5f01"
    yield "InfiniBand GUID", "node_guid: {}", "9c42:a177:0065:bf3e"


def everything() -> list[Planted]:
    """All kinds."""
    found = [Planted(*one) for one in _of_format()]
    found += [Planted(kind, text.format(hidden), hidden) for kind, text, hidden in (*_named(), *_identities())]
    return found
