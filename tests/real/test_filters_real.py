"""The motifs of ExplaiNN's published checkpoint, rebuilt from random sequences, against those published beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cislens import Motif, Run, Sequences, explain, open_oracle
from cislens.databases import compared, load
from cislens.databases.database import of_one_family
from cislens.motif_files import read_motifs
from cislens_filters import Filters

pytestmark = [pytest.mark.real, pytest.mark.torch]
SEQUENCES, LENGTH = 4000, 200


@pytest.fixture(scope="module", params=[0, 1], ids="seed {}".format)
def pairs(real_data: Path, request: pytest.FixtureRequest) -> list[tuple[Motif, Motif]]:
    """Each filter's motif as we rebuild it and as it was published, which was from real sequences."""
    folder = real_data / "checkpoints/explainn_remap"
    oracle = open_oracle("arch:explainn@torch", folder / "model_epoch_best_4.pth")
    bases = np.random.default_rng(request.param).integers(0, 4, (SEQUENCES, LENGTH))
    sequences = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[bases])
    rebuilt = explain(oracle, sequences, Filters(), "0", run=Run(block=SEQUENCES)).motifs
    published = {motif.id.removeprefix("filter"): motif for motif in read_motifs(folder / "explainn_filters.meme")}
    return [(motif, published[motif.id.rpartition(".")[2]]) for motif in rebuilt]


def test_rebuilt_motifs_correlate_with_the_published_ones(pairs) -> None:
    assert len(pairs) == 100
    correlation = [np.corrcoef(a.probabilities().ravel(), b.probabilities().ravel())[0, 1] for a, b in pairs]
    assert np.median(correlation) >= 0.93
    assert min(correlation) > 0.75


def test_the_best_family_of_25_of_the_29_best_matched_filters_is_the_published_ones(pairs) -> None:
    database = load("jaspar_vertebrates")
    rebuilt, published = (compared(motifs, database) for motifs in zip(*pairs, strict=True))
    q = published.q_value.min(1)
    best = np.argsort(q, kind="stable")[:29]
    assert (q[best] < 0.05).all()
    families = [
        [database.family_of(database.motifs[place].id) for place in comparison.p_value[best].argmin(1)]
        for comparison in (rebuilt, published)
    ]
    assert sum(of_one_family(a, b) for a, b in zip(*families, strict=True)) >= 25
