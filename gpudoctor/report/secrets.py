"""Secrets in text: where tokens, keys and passwords stand, by their own format or by the name before them.

Nothing here decides what stands in their place; `redact.py` does. Each search is linear in the length of the text:
repetitions are bounded, or begin only where the run of characters begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Hide = Callable[[str], str]

# Formats that say by themselves what they are. Each begins at a word's start, so that `task-...` is no `sk-...`.
_FORMATS = (
    r"hf_[A-Za-z0-9]{16,}",
    r"api_org_[A-Za-z0-9]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{16,}",
    r"github_pat_\w{20,}",
    r"gl(?:pat|dt|rt|ptt|cbt|oas|imt|ft|agent|soat)-[\w-]{12,}",
    r"xox[a-z](?:\.xox[a-z])?-[\w-]{8,}",
    r"xapp-\d-[\w-]{8,}",
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    r"eyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)*",
    r"eyJ[\w+/-]{40,}={0,2}",
    r"npm_[A-Za-z0-9]{20,}",
    r"pypi-[\w-]{24,}",
    r"AIza[\w-]{30,}",
    r"ya29\.[\w-]{16,}",
    r"GOCSPX-[\w-]{16,}",
    r"wandb_v\d_\w{20,}",
    r"dckr_(?:pat|oat)_[\w-]{16,}",
    r"do[opr]_v1_[0-9a-f]{32,}",
    r"nvapi-[\w-]{20,}",
    r"r8_[A-Za-z0-9]{30,}",
    r"gsk_[A-Za-z0-9]{30,}",
    r"rpa_[A-Za-z0-9]{20,}",
    r"hv[sbr]\.[\w-]{20,}",
    r"lsv2_\w{2}_\w{20,}",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",
    r"[srp]k_(?:live|test)_[A-Za-z0-9]{10,}",
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"tskey-\w{2,12}-[\w-]{12,}",
    r"dapi[0-9a-f]{32}(?:-\d)?",
    r"\d{8,10}:AA[\w-]{33}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
)
_BY_FORMAT = re.compile(r"(?<![\w-])(?:" + "|".join(_FORMATS) + ")")
# `sk-` is also the beginning of ordinary names; a key has digits among its letters.
_SK = re.compile(r"(?<![\w-])sk-[\w-]{20,}")
_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\S]*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[\s\S]*\Z)"
)
_WEBHOOK = re.compile(
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/"
    r"|webhook\.office\.com/webhookb2/|api\.telegram\.org/bot)([^\s\"'<>]+)",
    re.IGNORECASE,
)
_URL_LOGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,20}://)([^\s/\"'<>\\]{1,400})@")
_HEADER = re.compile(
    r"((?:proxy-)?authorization\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?:(?:bearer|basic|token|digest|negotiate)\s{1,3})?)"
    r"([^\s\"',;<>\\]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?<![\w-])(bearer\s{1,3})([\w.~+/=-]{8,})", re.IGNORECASE)
_COOKIE = re.compile(r"((?<![\w-])(?:set-)?cookie\s{0,2}:\s{0,3})([^\s\"'<][^\n\"'<]*)", re.IGNORECASE)
_NETRC = re.compile(r"(\blogin\s{1,8}\S{1,200}\s{1,8}password\s{1,8})([^\s<]+)")
_SSHPASS = re.compile(r"(\bsshpass\s{1,4}-p\s{0,4})([^\s<]+)")
_CURL_USER = re.compile(r"(\b(?:curl|wget)\s[^\n<]{0,300}?\s(?:-u|--user)[ =]\s{0,3}[\"']?)([^\s:\"'$<]+:[^\s\"'$<]+)")
# Kubernetes writes a variable's name and its value as two entries.
_NAMED_PAIR = re.compile(
    r"(\bname\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?\w{0,60}"
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_KEY|_KEY|CREDENTIALS?)\w{0,20}\\?[\"']?"
    r"[\s,]{1,60}\\?[\"']?value\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?)([^\s\"'<,}\\]+)",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"([?&;](?:sig|signature|key|code|x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)"
    r"|awsaccesskeyid|googleaccessid)=)([^&\s\"'<>]+)",
    re.IGNORECASE,
)
_AFTER_PREFIX = (_WEBHOOK, _HEADER, _BEARER, _COOKIE, _NETRC, _SSHPASS, _CURL_USER, _NAMED_PAIR, _QUERY)

_SECRET_NAME = (
    r"(?:passw(?:or)?d|passwort|passphrase|passcode|(?<=[_-])pw?d|(?<=[_-])pass|secret|token|api[_-]?key"
    r"|(?:access|secret|private|account|encryption|signing|master|license|service|ssh|ssl|auth|client|user|bot|app)"
    r"[_-]?key(?:[_-]?id)?|shared[_-]?access[_-]?(?:key|signature)|_auth|(?<=[\"'])auth|credentials?"
    r"|session[_-]?(?:id|key)|webhook(?:[_-]?url)?|connection[_-]?string|(?-i:(?<=[A-Z0-9]_)KEY)|密码|口令)"
)
_NAMED = re.compile(
    _SECRET_NAME + r"(?:\\{0,3}[\"'])?(?:\s{0,4}(?::=|=>|=(?!=)|:(?!:))\s{0,4})(?P<quote>\\{0,3}[\"'])?",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?<![\w-])--?[a-z-]{0,30}(?:password|passwd|passphrase|token|secret|api-?key|access-key|private-key)"
    r"\s{1,4}(?P<quote>[\"'])?(?![-<])",
    re.IGNORECASE,
)
_NAME_ENDS = re.compile(r"(?:^|[\W_])" + _SECRET_NAME + r"$|_KEY$", re.IGNORECASE)
_BARE_END = re.compile(r"[\s\"',;&<>(){}\[\]\\]")
_LINE_START = re.compile(r"(?:^|\n)[ \t]{0,80}(?:-[ \t]{1,8})?[\"']?[\w.-]{0,80}$")
# `eos_token`, `max_token` and the like are words of language models and of parsers.
_MODEL_TOKEN = re.compile(
    r"(?:eos|bos|pad|unk|sep|cls|mask|special|decoder|image|audio|video|next|prev|eot|eod|eom|bot|num|max|min|unexpected"
    r"|separator|newline|stop|begin|class)[_ -]?$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"(?:<[\w-]{1,40}>|\*+|x{3,}|\.{2,}|none|null|nil|true|false|undefined|unset|empty|missing|required|yes|no|not"
    r"|\[?redacted\]?|\$.*|%\w+%|os\.environ\S*|getpass\S*|str|string|int|bytes|optional|bool|object|n/a)$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"<[a-z]+(?:-[a-z]+)*-\d+>")
_MAXIMUM_QUOTED = 8192
_MAXIMUM_ESCAPES = 64


def hide_secrets(text: str, hide: Hide) -> str:
    """The text with every secret that is found given to `hide`, whose answer stands in its place."""
    text = _KEY_BLOCK.sub(lambda match: hide(match[0]), text)
    text = _URL_LOGIN.sub(lambda match: _login(match, hide), text)
    for pattern in _AFTER_PREFIX:
        text = pattern.sub(lambda match: match[1] + _unless_hidden(match[2], hide), text)
    text = _BY_FORMAT.sub(lambda match: hide(match[0]), text)
    text = _SK.sub(lambda match: hide(match[0]) if re.search(r"\d", match[0]) else match[0], text)
    text = _spans_hidden(text, _NAMED, hide)
    return _spans_hidden(text, _OPTION, hide)


def names_a_secret(name: str) -> bool:
    """Whether a variable's or a field's name says that its value is secret."""
    match = _NAME_ENDS.search(name)
    return match is not None and not _MODEL_TOKEN.search(name[: match.start() + 1])


def is_harmless(value: str) -> bool:
    """Whether a value under a secret's name is none: a placeholder, `none`, a reference to a variable."""
    return not value or _HARMLESS.match(value) is not None


def _unless_hidden(value: str, hide: Hide) -> str:
    return value if is_harmless(value) or _PLACEHOLDER.match(value) else hide(value)


def _login(match: re.Match[str], hide: Hide) -> str:
    login = match[2]
    user, _, password = login.partition(":")
    if login in ("git", "ssh", "") or (user and not password and match[1] in ("ssh://", "sftp://", "git+ssh://")):
        return match[0]
    return f"{match[1]}{_unless_hidden(login, hide)}@"


def _spans_hidden(text: str, names: re.Pattern[str], hide: Hide) -> str:
    """Hide the value after each name. What lies inside a value is not searched again, or it would be quadratic."""
    pieces: list[str] = []
    copied = seen = 0
    for match in names.finditer(text):
        if match.start() < seen:
            continue
        start = match.end()
        end = seen = _value_end(text, match)
        value = text[start:end]
        called = not match["quote"] and text[end : end + 1] in ("(", "[")
        ordinary = match[0][:5].lower() == "token" and _is_ordinary_token(text, match.start(), value)
        if not (called or ordinary or is_harmless(value) or _PLACEHOLDER.match(value)):
            pieces += [text[copied:start], hide(value)]
            copied = end
    return "".join([*pieces, text[copied:]])


def _value_end(text: str, match: re.Match[str]) -> int:
    end = _quoted_end(text, match.end(), match["quote"]) if match["quote"] else -1
    return end if end >= 0 else _bare_end(text, match.start(), match.end(), match[0].lower())


def _is_ordinary_token(text: str, begin: int, value: str) -> bool:
    if value.isdigit() and len(value) < 7:
        return True
    return _MODEL_TOKEN.search(text, max(0, begin - 16), begin) is not None


def _bare_end(text: str, begin: int, start: int, name: str) -> int:
    """The end of an unquoted value; in YAML a passphrase may hold blanks, so there it ends with the line."""
    found = _BARE_END.search(text, start)
    end = found.start() if found else len(text)
    is_phrase = name.startswith(("pass", "secret")) and ":" in name and end > start
    if is_phrase and text[end : end + 1] == " " and _LINE_START.search(text, max(0, begin - 170), begin):
        line_end = text.find("\n", end, end + 400)
        end = line_end if line_end >= 0 else min(len(text), end + 400)
        comment = text.find(" #", start, end)
        end = comment if comment >= 0 else end
    return end


def _quoted_end(text: str, start: int, quote: str) -> int:
    """Where a quoted value ends; -1 where it does not end within reason."""
    position = start
    limit = min(len(text), start + _MAXIMUM_QUOTED)
    for _ in range(_MAXIMUM_ESCAPES):
        position = text.find(quote, position, limit)
        if position < 0:
            return -1
        if quote[0] == "\\" or text[position - 1] != "\\":
            return position
        position += 1
    return -1
