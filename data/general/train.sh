#!/bin/sh
# Train a general model: sh data/general/train.sh en-fr FOLDER [--device cuda]
# NAME is en-fr or fr-en. FOLDER has the corpora (see the README) and, in FOLDER/test, test sets.
# The model is runs/general-NAME-4, for `attn models verify` and `add`. On one core each round takes
# hours; the card of each shipped model says which rounds it had.
set -eu
name=$1
corpora=$2
shift 2
data=data/general
text=$data/text

# The text, once for both directions; in text/everyday the everyday sources stand three and four times.
if [ ! -f $text/everyday/$name.tsv ]; then
    python data/tatoeba/split.py
    python $data/prepare.py "$corpora" --out $text --test data/tatoeba/test.* "$corpora"/test/*
    python $data/filter_by_links.py $text
    python $data/filter_by_links.py $text --repeat tatoeba=3 --repeat everyday=4 --out $text/everyday
fi

# recipe.toml is for en-fr; for fr-en the languages are exchanged.
recipe=$data/recipe.toml
if [ $name = fr-en ]; then
    recipe=$data/fr-en.toml
    sed 's/en-fr/fr-en/; s/^source = "en"/source = "fr"/; s/^target = "fr"/target = "en"/' \
        $data/recipe.toml > $recipe
fi

# A model of everyday sentences to start from.
[ -d runs/$name-3 ] || sh data/tatoeba/train.sh $name "$@"

# Its vocabulary becomes that of the new text; the word aligner is trained again.
attn train $recipe --from runs/$name-3 --out runs/general-$name "$@" \
    --set train.new_vocabulary=true --set train.max_steps=1600 --set train.learning_rate=1.5e-3

# Three rounds, each to a rate of zero. The second writes more everyday sentences, the third the
# sources in true case, as decode.truecase reads them.
again="--set train.freeze_aligner=true --set train.guided_alignment_decay=0.5
    --set train.guided_alignment_weight=0.3 --set train.warmup_steps=100"
attn train $recipe --from runs/general-$name --out runs/general-$name-2 "$@" $again \
    --set train.max_steps=6500 --set train.learning_rate=1.5e-3
attn train $recipe --from runs/general-$name-2 --out runs/general-$name-3 "$@" $again \
    --set train.max_steps=7000 --set train.learning_rate=1.2e-3 \
    --set data.pairs=text/everyday/$name.tsv --set train.guided_alignment=text/everyday/$name.links
python $data/filter_by_links.py $text --repeat tatoeba=3 --repeat everyday=4 \
    --truecase runs/general-$name-3 --out $text/truecase
attn train $recipe --from runs/general-$name-3 --out runs/general-$name-4 "$@" $again \
    --set train.max_steps=5000 --set train.learning_rate=1.5e-3 \
    --set data.pairs=text/truecase/$name.tsv --set train.guided_alignment=text/truecase/$name.links
attn export runs/general-$name-4 --half --pairs $text/$name.tsv --links $text/$name.links

# Confidence, with the int8 graphs.
attn models calibrate runs/general-$name-4 --pairs $text/$name.valid.tsv
