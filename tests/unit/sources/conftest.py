"""A model directory of a few bytes, and a hub on this machine that serves directories."""

from __future__ import annotations

import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def safetensors(num_bytes=8):
    """Bytes of a safetensors file with one float32 tensor."""
    tensor = {"dtype": "F32", "shape": [num_bytes // 4], "data_offsets": [0, num_bytes]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(num_bytes)


@pytest.fixture
def model_dir(tmp_path):
    """What `save_pretrained` leaves, and files that are none of a model's."""
    directory = tmp_path / "model"
    (directory / "onnx").mkdir(parents=True)
    (directory / "config.json").write_text('{"model_type": "bert"}')
    (directory / "model.safetensors").write_bytes(safetensors())
    (directory / "onnx" / "model.safetensors").write_bytes(safetensors())
    for name in ("tokenizer.json", "tokenizer_config.json", "README.md", "modeling_mine.py", "pytorch_model.bin"):
        (directory / name).write_text("{}")
    return directory


class Requests(list[str]):
    """Requests that a hub has had, as "METHOD /path", and the tokens that came with them."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: set[str] = set()


class _Hub(BaseHTTPRequestHandler):
    """The three routes of the hub that a download asks for: revision, list of files, file."""

    root: Path
    requests: Requests

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def log_message(self, *_):
        pass

    def _answer(self):
        path = self.path.partition("?")[0].strip("/")
        self.requests.append(f"{self.command} /{path}")
        self.requests.tokens.add(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if path.startswith("api/models/gated/"):
            return self._send(403, b"", {"X-Error-Code": "GatedRepo"})
        if not path.removeprefix("api/models/").startswith("mine/model"):
            return self._send(401, b"", {"X-Error-Code": "RepoNotFound"})
        if "/revision/" in path:
            if not path.endswith(("/main", COMMIT)):
                return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
            return self._send(200, json.dumps({"id": "mine/model", "sha": COMMIT, "siblings": []}).encode())
        if "/tree/" in path:
            return self._send(200, json.dumps(self._tree()).encode())
        if not (file := self.root / path.partition(f"{COMMIT}/")[2]).is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        content = file.read_bytes()
        return self._send(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{len(content)}-{hash(content)}"'})

    def _tree(self):
        files = sorted(file for file in self.root.rglob("*") if file.is_file())
        names = [(file.relative_to(self.root).as_posix(), file.stat().st_size) for file in files]
        return [{"type": "file", "path": name, "size": size, "oid": name} for name, size in names]

    def _send(self, status, content, headers=()):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@pytest.fixture
def hub(tmp_path, model_dir, monkeypatch):
    """Serves `model_dir` as mine/model to huggingface_hub; returns the requests."""
    handler = type("Hub", (_Hub,), {"root": model_dir, "requests": Requests()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    use_endpoint(monkeypatch, tmp_path, f"http://127.0.0.1:{server.server_port}")
    yield handler.requests
    server.shutdown()
    thread.join()
    server.server_close()


def use_endpoint(monkeypatch, tmp_path, endpoint, is_offline=False):
    """Points huggingface_hub at `endpoint` and at a cache of this test's own, as its variables would at start-up."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", is_offline)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))


@pytest.fixture
def no_hub(tmp_path, monkeypatch):
    """Points huggingface_hub at a port that nobody listens on."""
    use_endpoint(monkeypatch, tmp_path, "http://127.0.0.1:9")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """What HF_HUB_OFFLINE=1 does."""
    use_endpoint(monkeypatch, tmp_path, "http://127.0.0.1:9", is_offline=True)
