"""A hub on this machine that serves data sets from directories, one for each branch."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest


class DatasetHub(BaseHTTPRequestHandler):
    """The routes that huggingface_hub and `datasets` ask: commit of a branch, list of files, file.

    `root` holds owner/name/branch, `/` in a branch written as `__`.
    """

    protocol_version = "HTTP/1.1"
    root: Path
    requests: list[str]
    failing = ""  # requests for paths with this text get no answer but an error

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def log_message(self, *_):
        pass

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path, _, query = unquote(self.path).partition("?")
        self.requests.append(f"{self.command} {path}")
        if self.failing and self.failing in path:
            return self._send(500, b"")
        _, _, rest = path.partition("/datasets/")
        repository = self.root / "/".join(rest.split("/")[:2])
        if not rest or not repository.is_dir():
            return self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        route, _, rest = "/".join(rest.split("/")[2:]).partition("/")
        branch, inside = self._branch(repository, rest or "main")
        if branch is None:
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if route in ("", "revision"):
            commit = {"id": "/".join(repository.parts[-2:]), "sha": commit_of(branch), "siblings": []}
            return self._send(200, json.dumps(commit).encode())
        if route == "paths-info":
            found = [branch / name for name in parse_qs(body).get("paths", []) if (branch / name).exists()]
            return self._send(200, json.dumps([entry(file, branch) for file in found]).encode())
        file = branch / inside
        if not (file.is_file() if route == "resolve" else file.is_dir()):
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit_of(branch)})
        if route == "tree":
            files = file.rglob("*") if "recursive=true" in query.lower() else file.iterdir()
            return self._send(200, json.dumps([entry(file, branch) for file in sorted(files)]).encode())
        content = file.read_bytes()
        return self._send(200, content, {"X-Repo-Commit": commit_of(branch), "ETag": f'"{sha1(content)}"'})

    @staticmethod
    def _branch(repository, rest):
        for branch in repository.iterdir():
            for name in (branch.name.replace("__", "/"), commit_of(branch)):
                if f"{rest}/".startswith(f"{name}/"):
                    return branch, rest[len(name) + 1 :]
        return None, ""

    def _send(self, status, content, headers=()):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def sha1(content):
    return hashlib.sha1(content).hexdigest()


def commit_of(branch):
    return sha1(str(branch).encode())


def entry(file, branch):
    name = file.relative_to(branch).as_posix()
    if file.is_dir():
        return {"type": "directory", "path": name, "oid": sha1(name.encode()), "size": 0}
    return {"type": "file", "path": name, "oid": sha1(file.read_bytes()), "size": file.stat().st_size}


@pytest.fixture(autouse=True)
def own_hub_cache(tmp_path_factory, monkeypatch):
    """Points the hub's libraries at caches of this test's own, and away from the real hub."""
    import datasets
    from huggingface_hub import constants

    cache = tmp_path_factory.mktemp("hub")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "no token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache / "datasets")
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", str(cache / "datasets" / "downloads"))
    datasets.disable_progress_bars()
    yield cache
    datasets.enable_progress_bars()


@pytest.fixture
def use_endpoint(monkeypatch):
    """What HF_ENDPOINT and HF_HUB_OFFLINE do at start-up."""
    import datasets
    from huggingface_hub import HfFileSystem, constants

    def use(endpoint, is_offline=False):
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", is_offline)
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", endpoint)
        monkeypatch.setattr(
            datasets.config, "HUB_DATASETS_URL", endpoint + "/datasets/{repo_id}/resolve/{revision}/{path}"
        )
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", is_offline)
        HfFileSystem.clear_instance_cache()

    return use


@pytest.fixture
def hub(tmp_path, use_endpoint):
    """A directory that is served as the hub: owner/name/branch; `requests` are those that came."""
    root = tmp_path / "served"
    root.mkdir()
    handler = type("Hub", (DatasetHub,), {"root": root, "requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    use_endpoint(f"http://127.0.0.1:{server.server_port}")
    yield Served(handler)
    server.shutdown()
    thread.join()
    server.server_close()


class Served:
    """What the hub serves."""

    def __init__(self, handler):
        self._handler = handler
        self.root, self.requests = handler.root, handler.requests

    def fail_on(self, text):
        """From now on requests for paths with `text` fail."""
        self._handler.failing = text

    def branch(self, hub_id, revision="main"):
        """The directory of a branch, made if need be."""
        directory = self.root / hub_id / revision.replace("/", "__")
        directory.mkdir(parents=True, exist_ok=True)
        return directory


@pytest.fixture
def parquet(tmp_path):
    """Writes rows as `datasets` writes them, features included."""
    import datasets

    def write(path, rows, features=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_list(rows, features=features and datasets.Features(features)).to_parquet(str(path))

    return write
