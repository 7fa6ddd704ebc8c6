#!/bin/sh
# Train the small Transformer with several heads: sh data/tatoeba/train_heads.sh NAME [--device cuda]
# From the public pairs to runs/NAME, for `attn models verify` and `add`. Takes hours on two cores; faster
# on a GPU.
set -eu
name=$1
shift
data=data/tatoeba

# The text and its links, as in train.sh, unless they exist.
if [ ! -f $data/en-fr.links ]; then
    python $data/split.py
    attn align --fit --source $data/train.en --target $data/train.fr --threads 2 \
        --format pharaoh --scores --output $data/train.links
    python $data/lexicon.py $data/train.links
fi

attn train $data/heads.toml --out runs/$name --set name=$name "$@"
attn export runs/$name --half
paste $data/valid.en $data/valid.fr > runs/$name.valid.tsv
attn models calibrate runs/$name --pairs runs/$name.valid.tsv
attn align "I love you" "Je t'aime" --model runs/$name --head all
attn align "I love you" "Je t'aime" --model runs/$name --show encoder --head all
