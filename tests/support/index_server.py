"""A package index on loopback: pages, metadata beside the wheels, JSON pages; it counts what is asked of it."""

from __future__ import annotations

import contextlib
import html
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TORCH_TAGS = [f"cp3{minor}-cp3{minor}-manylinux_2_28_x86_64" for minor in (9, 10, 11, 12, 13)]
TORCH_DEMANDS = [
    "filelock",
    'typing-extensions>=4.10.0; python_version >= "3.8"',
    'nvidia-cuda-runtime-cu12==12.8.90; platform_system == "Linux" and platform_machine == "x86_64"',
    'nvidia-cudnn-cu12==9.10.2.21; platform_system == "Linux" and platform_machine == "x86_64"',
    'nvidia-nccl-cu12==2.27.3; platform_system == "Linux" and platform_machine == "x86_64"',
    'triton==3.4.0; platform_system == "Linux" and platform_machine == "x86_64"',
    'optree>=0.13.0; extra == "optree"',
]


@dataclass
class Wheels:
    """One release: its wheel tags and its metadata lines."""

    tags: list[str]
    demands: list[str] = field(default_factory=list)
    requires_python: str = ""
    yanked: bool = False
    has_sdist: bool = False


@dataclass
class Shop:
    """What the index serves. `style` is `json`, `html`, `json_api` (metadata on JSON pages alone) or `mirror` (metadata
    beside the wheels without a word about it, JSON pages of packages but not of releases); `broken` maps a path's
    ending to a status and a body."""

    packages: dict[str, dict[str, Wheels]]
    style: str = "json"
    broken: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a path."""
        self.asked.append(path)
        for ending, (status, body) in self.broken.items():
            if path.endswith(ending):
                return status, "application/vnd.pypi.simple.v1+json", body
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2 and parts[1] in self.packages:
            return self._page(parts[1])
        if parts[0] == "files" and path.endswith(".whl.metadata") and self.style != "json_api":
            return 200, "text/plain", self._metadata(parts[1], parts[2])
        if parts[0] == "pypi" and parts[-1] == "json" and len(parts) == (3 if self.style == "mirror" else 4):
            version = list(self.packages[parts[1]])[-1] if len(parts) == 3 else parts[2]
            wheels = self.packages[parts[1]][version]
            info = {"requires_dist": wheels.demands, "requires_python": wheels.requires_python, "version": version}
            return 200, "application/json", json.dumps({"info": info}).encode()
        return 404, "text/plain", b"not here"

    def _page(self, package: str) -> tuple[int, str, bytes]:
        files: list[dict[str, Any]] = []
        for version, wheels in self.packages[package].items():
            for tag in wheels.tags:
                name = f"{package}-{version}-{tag}.whl"
                item = {"filename": name, "url": f"/files/{package}/{version}/{name}", "yanked": wheels.yanked}
                files.append({**item, "requires-python": wheels.requires_python or None})
            if wheels.has_sdist:
                files.append({"filename": f"{package}-{version}.tar.gz", "url": "/files/x", "yanked": False})
        if self.style == "html":
            links = "".join(
                f'<a href="{item["url"]}#sha256=0" data-core-metadata="sha256=0"'
                f' data-requires-python="{html.escape(item.get("requires-python") or "")}"'
                f"{' data-yanked' if item['yanked'] else ''}>{item['filename']}</a>"
                for item in files
            )
            return 200, "text/html", f"<html><body>{links}</body></html>".encode()
        if self.style == "json":
            files = [{**item, "core-metadata": {"sha256": "0"}} for item in files]
        return 200, "application/vnd.pypi.simple.v1+json", json.dumps({"files": files}).encode()

    def _metadata(self, package: str, version: str) -> bytes:
        wheels = self.packages[package][version]
        lines = ["Metadata-Version: 2.4", f"Name: {package}", f"Version: {version}"]
        lines += [f"Requires-Python: {wheels.requires_python}"] if wheels.requires_python else []
        lines += [f"Requires-Dist: {demand}" for demand in wheels.demands]
        return "\n".join([*lines, "", "A description."]).encode()


@contextlib.contextmanager
def serving(shop: Shop) -> Iterator[Shop]:
    """Serve it on a free port; `shop.url` is the simple URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = shop.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    shop.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def small_shop(**more: object) -> Shop:
    """One torch and its partners, as they were published."""
    torch = Wheels([*TORCH_TAGS, "cp313-cp313t-manylinux_2_28_x86_64", "cp312-none-macosx_11_0_arm64"])
    torch.demands, torch.requires_python = list(TORCH_DEMANDS), ">=3.9.0"
    tags = [*TORCH_TAGS, "cp313-cp313t-manylinux_2_28_x86_64"]
    vision = Wheels(tags, ["numpy", "torch==2.8.0", "pillow!=8.3.*,>=5.3.0", 'gdown; extra == "gdown"'], ">=3.9")
    audio = Wheels(tags, ["torch==2.8.0"])
    packages = {"torch": {"2.8.0": torch}, "torchvision": {"0.23.0": vision}, "torchaudio": {"2.8.0": audio}}
    return Shop(packages, **more)
