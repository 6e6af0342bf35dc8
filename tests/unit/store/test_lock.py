"""One process writes into a folder at a time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sparse_core.errors import OutputError
from sparse_core.store import LOCK_NAME, locked

HOLDER = (
    "import sys\nfrom pathlib import Path\nfrom sparse_core.store import locked\n"
    "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()"
)


@pytest.mark.parametrize("end", ["end of the block", "kill"])
def test_a_folder_is_held_until_its_process_ends(tmp_path, end):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(OutputError) as caught, locked(tmp_path):
        pass
    assert caught.value.setting == "output_dir"
    assert str(holder.pid) in caught.value.problem
    if end == "kill":
        holder.kill()
    holder.communicate()
    with locked(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == str(os.getpid())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught, locked(tmp_path / "file" / "out"):
        pass
    assert caught.value.setting == "output_dir"
