"""Peak memory of reading, tokenizing and training as the rows grow: it must not grow with them.

    python benchmarks/data_memory.py --rows 10000 1000000

Rows of text classification are generated with a fixed seed: 5 to 40 words out of 5,000, two labels. Each stage runs in
a process of its own and reads the files that the stage before wrote:

- fetch_csv, fetch_jsonl, fetch_parquet, fetch_saved: the step fetch_dataset on a source of this form;
- tokenize: `Task.load_split` of the training rows, with its worker processes;
- train: 50 optimizer steps of a one-layer model, with the start of an epoch over all rows.

peak_mb is the largest resident set of one process, the stage's own or a worker's (VmHWM). It counts files that are
mapped into memory, as long as the kernel keeps them there. anonymous_mb is the part that is not backed by files and
that the kernel cannot take back (RssAnon, sampled every 10 ms). The ratio compares the most rows with the fewest.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

STAGES = ("fetch_csv", "fetch_jsonl", "fetch_parquet", "fetch_saved", "tokenize", "train")
NUM_WORDS = 5000
MAX_SEQ_LENGTH = 64
VALIDATION_RATIO = 0.05
_MB = 1024  # in kB, in which /proc counts
_SAMPLE_SECONDS = 0.01


# --- the stages, each in a process of its own ------------------------------------------------------------------------


def fetch(folder: Path, source: str) -> None:
    """Makes the Dataset artifact from one of the sources."""
    from sparse_core.steps.fetch_dataset import fetch_dataset

    kind = (
        {"dataset_name": str(folder / "saved")} if source == "saved" else {"train_file": str(folder / f"rows.{source}")}
    )
    fetch_dataset(folder / f"dataset_{source}", validation_ratio=VALIDATION_RATIO, **kind)


def tokenize(folder: Path) -> None:
    """Makes the token ids of the training rows."""
    from sparse_core.artifacts.dataset import read_schema
    from sparse_core.tasks import task_of

    dataset = folder / "dataset_csv"
    task = task_of(read_schema(dataset))
    task.load_split(dataset, "train", task.load_tokenizer(folder / "model"), MAX_SEQ_LENGTH)


def train(folder: Path) -> None:
    """Takes 50 optimizer steps."""
    from sparse_core.training.arguments import TrainingArguments
    from sparse_core.training.job import TrainingJob, TrainingSession

    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=50,
        per_device_train_batch_size=32,
        save_strategy="no",
        eval_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    job = TrainingJob("train", folder / "model", folder / "dataset_csv", arguments, MAX_SEQ_LENGTH, evaluates=False)
    TrainingSession(job).train(checkpoint=None)


def stage_of(name: str) -> Callable[[Path], None]:
    """The function of a stage."""
    if name.startswith("fetch_"):
        return lambda folder: fetch(folder, name.removeprefix("fetch_"))
    return {"tokenize": tokenize, "train": train}[name]


class PeakMemory:
    """Samples the memory of this process and of its children in a thread."""

    def __init__(self) -> None:
        """Starts at 0."""
        self.peak_kb = self.anonymous_kb = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_stopped, daemon=True)

    def __enter__(self) -> PeakMemory:
        """Starts to sample."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Samples a last time."""
        self._stop.set()
        self._thread.join()
        self._sample()

    def _sample_until_stopped(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        for process in _family(os.getpid()):
            memory = _memory_kb(process)
            self.peak_kb = max(self.peak_kb, memory.get("VmHWM", 0))
            self.anonymous_kb = max(self.anonymous_kb, memory.get("RssAnon", 0))


def _family(process: int) -> Iterator[int]:
    yield process
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = thread.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            yield from _family(int(child))


def _memory_kb(process: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.partition(":") for line in lines)
    return {name: int(value.split()[0]) for name, _, value in fields if name in ("VmHWM", "RssAnon")}


def run_stage(name: str, folder: Path) -> None:
    """Runs a stage in this process and prints its memory and time as JSON."""
    run = stage_of(name)
    start = time.perf_counter()
    with PeakMemory() as memory:
        run(folder)
    taken = {
        "peak_mb": memory.peak_kb / _MB,
        "anonymous_mb": memory.anonymous_kb / _MB,
        "seconds": time.perf_counter() - start,
    }
    print(json.dumps(taken))  # noqa: T201


# --- what they read --------------------------------------------------------------------------------------------------


def make_inputs(folder: Path, num_rows: int) -> None:
    """Writes the rows in all forms, and a one-layer model with its tokenizer."""
    import datasets
    import torch
    import transformers
    from tokenizers import BertWordPieceTokenizer

    words = [f"{first}{second}" for first in _syllables() for second in _syllables()][:NUM_WORDS]
    generator = random.Random(0)
    with (folder / "rows.csv").open("w") as csv, (folder / "rows.jsonl").open("w") as jsonl:
        csv.write("text,label\n")
        for _ in range(num_rows):
            text, label = " ".join(generator.choices(words, k=generator.randint(5, 40))), generator.randrange(2)
            csv.write(f"{text},{label}\n")
            jsonl.write(f'{{"text": "{text}", "label": {label}}}\n')
    rows = datasets.Dataset.from_csv(str(folder / "rows.csv"), cache_dir=str(folder / "cache"))
    rows.save_to_disk(folder / "saved")
    rows.to_parquet(str(folder / "rows.parquet"))
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = BertWordPieceTokenizer({token: index for index, token in enumerate([*specials, *words])})
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    tokenizer.save_pretrained(folder / "model")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    transformers.BertModel(config).save_pretrained(folder / "model")


def _syllables() -> list[str]:
    return [consonant + vowel + end for consonant in "bdfghklmnprstvwz" for vowel in "aeiou" for end in ("", "n")]


# --- the comparison --------------------------------------------------------------------------------------------------


def measure(folder: Path, name: str) -> dict[str, float]:
    """Memory and time of a stage in a process of its own, whose caches lie in `folder`."""
    environment = {**os.environ, "SPARSE_CORE_CACHE": str(folder / "cache"), "HF_DATASETS_CACHE": str(folder / "cache")}
    command = [sys.executable, __file__, "--stage", name, "--folder", str(folder)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measures all stages and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--only", choices=STAGES, nargs="+", default=STAGES, help="stages to measure")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        run_stage(options.stage, options.folder)
        return
    results: dict[str, dict[int, dict[str, float]]] = {name: {} for name in options.only}
    for num_rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            make_inputs(Path(folder), num_rows)
            for name in options.only:
                results[name][num_rows] = measure(Path(folder), name)
    print("| stage | rows | peak_mb | anonymous_mb | seconds |\n|---|---|---|---|---|")  # noqa: T201
    for name, by_rows in results.items():
        for num_rows, taken in by_rows.items():
            cells = f"{taken['peak_mb']:.0f} | {taken['anonymous_mb']:.0f} | {taken['seconds']:.1f}"
            print(f"| {name} | {num_rows} | {cells} |")  # noqa: T201
        least, most = by_rows[min(by_rows)], by_rows[max(by_rows)]
        ratios = " | ".join(f"{most[key] / least[key]:.2f}" for key in ("peak_mb", "anonymous_mb", "seconds"))
        print(f"| {name} | ratio | {ratios} |")  # noqa: T201


if __name__ == "__main__":
    main()
