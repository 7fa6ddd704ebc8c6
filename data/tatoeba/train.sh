#!/bin/sh
# Train a translator of everyday sentences: sh data/tatoeba/train.sh en-fr [--device cuda]
# From the public pairs to runs/NAME-3, for `attn models verify` and `add`. data/general/train.sh goes
# on from there.
set -eu
name=$1
shift
data=data/tatoeba

# recipe.toml is for en-fr; for fr-en the languages are exchanged.
recipe=$data/recipe.toml
if [ $name = fr-en ]; then
    recipe=$data/fr-en.toml
    sed 's/en-fr\.en/fr-en.fr/; s/en-fr\.fr/fr-en.en/; s/valid\.en/valid.FR/; s/valid\.fr/valid.en/; s/valid\.FR/valid.fr/
        s/en-fr/fr-en/; s/^source = "en"/source = "fr"/; s/^target = "fr"/target = "en"/' \
        $data/recipe.toml > $recipe
fi

python $data/split.py
attn align --fit --source $data/train.en --target $data/train.fr --threads 2 \
    --format pharaoh --scores --output $data/train.links
python $data/lexicon.py $data/train.links

# The word aligner is trained on the aligners' votes, and frozen when the network is trained.
attn train $recipe --out runs/$name-head --max-steps 1 "$@" \
    --set train.guided_alignment=statistical
attn train $recipe --from runs/$name-head --out runs/$name "$@" --set train.freeze_aligner=true

# Fine-tune twice, at lower rates and with less dropout.
again="--set train.freeze_aligner=true --set train.guided_alignment_decay=0.5 --set model.dropout.embedding=0.15
    --set model.dropout.states=0.25 --set model.dropout.output=0.2"
attn train $recipe --from runs/$name --out runs/$name-2 --max-steps 6000 "$@" $again \
    --set train.learning_rate=2e-3 --set train.warmup_steps=100 --set train.guided_alignment_weight=0.3
attn train $recipe --from runs/$name-2 --out runs/$name-3 --max-steps 800 "$@" $again \
    --set train.learning_rate=6e-4 --set train.warmup_steps=20 --set train.guided_alignment_weight=0.2 \
    --set train.batch_tokens=4000 --set train.validate_every=200
attn export runs/$name-3 --half
