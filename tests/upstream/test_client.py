"""uv as the reader of demands, played by a program that answers as it does; lists of files come from the index."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from derived import tables
from gpudoctor.host.local import LocalHost
from gpudoctor.upstream.compare import wanted_releases
from gpudoctor.upstream.verify import Verified, VerifySettings, verify
from index_server import TORCH_TAGS, Wheels, serving
from index_server import small_shop as shop

# What uv prints: pins with who wants them, or why nothing can be found.
UV = """#!{python}
import sys
open({log!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
asked = sys.stdin.read()
if "pylock.toml" in sys.argv:
    print('url = "https://host/torch-2.8.0-cp312-cp312-manylinux_2_28_x86_64.whl"')
elif "\\ntorch<0.0.1" in asked:
    sys.exit("error: Because vllm>={vllm} depends on torch==1.0 and you require it, nothing can be found.")
elif "vllm" in asked:
    sys.exit("error: nothing was found")
else:
    print("triton==1.0                  # via torch")
    print("torch==2.8.0                 # via -r -")
"""
TORCH, VLLM = (wanted_releases(tables(), (name,))[name][-1] for name in ("torch", "vllm"))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(UV.format(python=sys.executable, log=str(tmp_path / "log"), vllm=VLLM))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "")
    return tmp_path / "log"


def read(url: str, *packages: str) -> Verified:
    settings = VerifySettings(url, way="uv", packages=packages, newest=1, python=sys.executable)
    with LocalHost(120.0) as host:
        return verify(settings, host, tables())


def test_demands_are_of_uv_and_the_rest_is_of_the_lists(log: Path) -> None:
    served = shop()
    served.packages["torch"] = {TORCH: Wheels(TORCH_TAGS, [], ">=2.7")}
    with serving(served):
        found = read(served.url, "torch")
    (release,) = found.metadata.releases
    assert (release.requires_python, release.tags, release.resolved) == (">=2.7", tuple(sorted(TORCH_TAGS)), True)
    assert served.asked == ["/simple/torch/"]
    assert log.read_text().count("\n") == 1
    differing = {item.what: item.upstream for item in found.comparison.disagreements if item.version == TORCH}
    assert (differing["triton"], differing["Requires-Python"]) == ("==1.0", ">=2.7")


def test_without_an_index_uv_is_asked_for_the_wheels_too(log: Path) -> None:
    found = read("http://127.0.0.1:9/simple", "torch")
    (release,) = found.metadata.releases
    assert (release.requires_python, release.tags) == (None, ("cp312-cp312-manylinux_2_28_x86_64",))
    assert "pylock.toml" in log.read_text()
    assert "Requires-Python" not in {item.what for item in found.comparison.disagreements}


def test_a_package_that_demands_hundreds_is_asked_by_what_cannot_be(log: Path) -> None:
    found = read("http://127.0.0.1:9/simple", "vllm")
    assert [(item.what, item.upstream) for item in found.comparison.disagreements if item.package == "vllm"] == [
        ("what it demands of torch", "==1.0")
    ]
