#!/bin/sh
# Train a general model: sh data/general/train.sh en-fr FOLDER [--device cuda]
# NAME is en-fr or fr-en. FOLDER has the corpora (see the README) and, in FOLDER/test, test sets.
# The model is runs/general-NAME-2, for `attn models verify` and `add`.
set -eu
name=$1
corpora=$2
shift 2
data=data/general
text=$data/text

# The text, once for both directions.
if [ ! -f $text/$name.tsv ]; then
    python data/tatoeba/split.py
    python $data/prepare.py "$corpora" --out $text --test data/tatoeba/test.* "$corpora"/test/*
    python $data/filter_by_links.py $text
fi

# recipe.toml is for en-fr; for fr-en the languages are exchanged.
recipe=$data/recipe.toml
if [ $name = fr-en ]; then
    recipe=$data/fr-en.toml
    sed 's/en-fr/fr-en/; s/^source = "en"/source = "fr"/; s/^target = "fr"/target = "en"/' \
        $data/recipe.toml > $recipe
fi

# Fine-tune the shipped model of everyday sentences, with a vocabulary of the new text.
attn train $recipe --from $name --out runs/general-$name "$@" --set train.new_vocabulary=true

# Fine-tune at a lower rate.
attn train $recipe --from runs/general-$name --out runs/general-$name-2 --max-steps 6000 "$@" \
    --set train.freeze_aligner=true --set train.guided_alignment_decay=0.5 \
    --set train.guided_alignment_weight=0.3 --set train.learning_rate=1e-3 --set train.warmup_steps=100
attn export runs/general-$name-2 --half --pairs $text/$name.tsv --links $text/$name.links

# Confidence, with the int8 graphs.
attn models calibrate runs/general-$name-2 --pairs $text/$name.valid.tsv
