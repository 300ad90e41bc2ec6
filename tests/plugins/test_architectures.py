"""Published architectures with random weights in their key layouts, against the layer tables written out plainly."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.plugins import architectures_transcribed as tables  # noqa: E402
from torch import nn  # noqa: E402

from cislens import Oracle, Sequences, explain, open_oracle  # noqa: E402
from cislens.errors import OracleError, PluginError, UntrustedError  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402

pytestmark = pytest.mark.torch
BOUND = 1e-5
KERAS = pytest.param("keras", marks=pytest.mark.keras)


@dataclass(frozen=True)
class Published:
    """One architecture: the module as written out, and what its input looks like there."""

    module: nn.Module
    length: int
    axes: str = "plain"
    order: str = "ACGT"
    options: dict[str, Any] = field(default_factory=dict)

    def answers(self, x: np.ndarray) -> np.ndarray:
        """Answer to (n, length, 4), ACGT, as the module itself does."""
        ordered = x[:, :, ["ACGT".index(base) for base in self.order]].swapaxes(1, 2).astype(np.float32)
        shaped = {"plain": ordered, "high": ordered[:, :, None], "wide": ordered[..., None]}[self.axes]
        with torch.no_grad():
            return self.module(torch.from_numpy(shaped)).numpy()


PUBLISHED = {
    "deepsea": Published(tables.deepsea(), 1000, "high", "AGCT"),
    "beluga": Published(tables.Beluga(), 2000, "high", "AGCT"),
    "basset": Published(tables.basset(), 600, "wide"),
    "deepstarr": Published(tables.DeepStarr(joined=False), 249),
    "deepstarr ": Published(tables.DeepStarr(joined=True), 249),
    "explainn": Published(tables.ExplaiNN(hidden=2), 120),
    "explainn ": Published(tables.ExplaiNN(hidden=0), 120, options={"length": 120}),
    "explainn  ": Published(tables.ExplaiNN(hidden=1), 120),
    "explainn   ": Published(tables.ExplaiNN(hidden=3), 120),
}


def saved(name: str, folder: Path) -> Path:
    path = folder / "weights.pth"
    torch.save(tables.randomised(PUBLISHED[name].module).state_dict(), path)
    return path


def dna(length: int, n: int = 4) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(1).integers(0, 4, (n, length))]


def together(oracle: Oracle, x: np.ndarray) -> np.ndarray:
    return np.concatenate([answer.reshape(len(x), -1) for answer in oracle.predict(x).values()], 1)


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert theirs.std() > 1e-3  # else any answer would do
    assert np.abs(ours - theirs).max() <= BOUND * max(1, np.abs(theirs).max())


@pytest.mark.parametrize("framework", ["torch", KERAS])
@pytest.mark.parametrize("name", PUBLISHED)
def test_an_architecture_answers_as_its_table_written_out(name: str, framework: str, tmp_path: Path) -> None:
    case = PUBLISHED[name]
    oracle = open_oracle(f"arch:{name.strip()}@{framework}", saved(name, tmp_path), **case.options)
    assert oracle.length == case.length
    x = dna(case.length)
    assert_close(together(oracle, x), case.answers(x))


@pytest.mark.parametrize(("name", "heads"), [("deepsea", ["chromatin"]), ("deepstarr", ["Dev", "Hk"])])
def test_heads_and_base_order_are_known_and_give_way_to_what_the_user_says(name: str, heads, tmp_path: Path) -> None:
    path = saved(name, tmp_path)
    oracle = open_oracle(f"arch:{name}", path)
    assert [head.name for head in oracle.heads] == heads
    assert [head.scale for head in oracle.heads] == ["probability" if name == "deepsea" else "linear"] * len(heads)
    renamed = open_oracle(f"arch:{name}", path, heads=[f"my_{head}" for head in heads], base_order="ACGT")
    assert [head.name for head in renamed.heads] == [f"my_{head}" for head in heads]
    assert [head.scale for head in renamed.heads] == [head.scale for head in oracle.heads]
    assert renamed.fingerprint != oracle.fingerprint
    x = dna(PUBLISHED[name].length)
    same = np.allclose(together(renamed, x), together(oracle, x))
    assert same == (name == "deepstarr")  # DeepSEA's own order is another


def test_the_two_activities_of_a_joined_last_layer_are_named(tmp_path: Path) -> None:
    oracle = open_oracle("arch:deepstarr", saved("deepstarr ", tmp_path))
    assert oracle.heads[0].outputs == ("Dev", "Hk")
    sequences = Sequences.from_onehot(dna(249))
    assert explain(oracle, sequences, "saliency", "Hk").provenance.targets


def test_layers_are_named_after_the_steps_and_show_their_windows(tmp_path: Path) -> None:
    oracle = open_oracle("arch:deepsea", saved("deepsea", tmp_path))
    layers = {layer.name: layer for layer in oracle.layers()}
    assert layers["conv1"].receptive_field == 8
    assert layers["conv1"].activation == "threshold"
    assert layers["conv3"].receptive_field == 8 + 3 + 7 * 4 + 3 * 4 + 7 * 16
    assert layers["dense2"].activation == "sigmoid"
    kernel = oracle.weights("conv1")["kernel"]
    own = PUBLISHED["deepsea"].module[0].weight.detach().numpy()[:, :, 0].swapaxes(1, 2)
    np.testing.assert_array_equal(kernel, own[:, :, [0, 2, 1, 3]])  # from AGCT to ACGT


@pytest.mark.parametrize("framework", ["torch", KERAS])
@pytest.mark.parametrize("name", ["basset", "explainn"])
def test_a_built_network_keeps_the_contract_of_oracles(name: str, framework: str, tmp_path: Path) -> None:
    oracle = open_oracle(f"arch:{name}@{framework}", saved(name, tmp_path))
    OracleContract(oracle, dna(PUBLISHED[name].length)).check()


@pytest.mark.parametrize("framework", ["torch", KERAS])
def test_deepsea_gives_a_millionth_where_torch7_does(framework: str, tmp_path: Path) -> None:
    oracle = open_oracle(f"arch:deepsea@{framework}", saved("deepsea", tmp_path))
    x = dna(1000)
    before, after = (oracle.activations(x, "conv1", pre=pre) for pre in (True, False))
    assert 0.2 < (before > 0).mean() < 0.8
    np.testing.assert_array_equal(after, np.where(before > 0, before, np.float32(1e-6)))


@pytest.mark.keras
@pytest.mark.parametrize(("name", "target"), [("deepsea", "0:logit"), ("explainn", "1"), ("deepstarr", "Dev")])
def test_maps_of_both_frameworks_agree(name: str, target: str, tmp_path: Path) -> None:
    path = saved(name, tmp_path)
    sequences = Sequences.from_onehot(dna(PUBLISHED[name].length, 2))
    ours, theirs = (
        explain(open_oracle(f"arch:{name}@{framework}", path), sequences, "saliency", target).attributions.values
        for framework in ("torch", "keras")
    )
    assert np.abs(ours).max() > 0
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(ours).max()


# ---- key layouts ---------------------------------------------------------------------------------------


def written(name: str, layout: str, path: Path) -> Path:
    weights = tables.randomised(PUBLISHED[name].module).state_dict()
    if layout == "safetensors":
        from safetensors.torch import save_file

        save_file(weights, path.with_suffix(".safetensors"))
        return path.with_suffix(".safetensors")
    if layout == "pickled module":
        torch.save(PUBLISHED[name].module, path)
    elif layout == "nested":
        torch.save({"epoch": 3, "state_dict": {f"module.1.{key}": value for key, value in weights.items()}}, path)
    else:
        first = [key for key in weights if key.startswith("conv")]
        torch.save({key: weights[key] for key in [*first, *(key for key in weights if key not in first)]}, path)
    return path


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("deepsea", "safetensors"),
        ("deepsea", "nested"),
        ("beluga", "safetensors"),
        ("basset", "nested"),
        ("deepstarr", "safetensors"),
        ("deepstarr ", "convolutions first"),
        ("deepstarr ", "pickled module"),
        ("explainn", "safetensors"),
        ("explainn   ", "safetensors"),
    ],
)
def test_key_layouts_in_the_wild_open(name: str, layout: str, tmp_path: Path) -> None:
    case = PUBLISHED[name]
    oracle = open_oracle(f"arch:{name.strip()}", written(name, layout, tmp_path / "w.pt"))
    x = dna(case.length)
    assert_close(together(oracle, x), case.answers(x))


def test_a_pickled_module_is_read_without_its_class(tmp_path: Path) -> None:
    path = tmp_path / "whole.pt"
    torch.save(tables.randomised(PUBLISHED["deepstarr"].module), path)
    with pytest.raises(UntrustedError, match="DeepStarr"):
        open_oracle(path)
    code = "from cislens import open_oracle; print(open_oracle('arch:deepstarr', 'whole.pt').length)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "249"


def test_layers_that_a_sorting_file_does_not_tell_apart_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    weights = tables.randomised(PUBLISHED["deepstarr"].module).state_dict()
    renamed = {key.replace("dev.", "second.").replace("hk.", "first."): value for key, value in weights.items()}
    path = tmp_path / "w.safetensors"
    save_file({key: value.clone() for key, value in renamed.items()}, path)
    with pytest.raises(OracleError, match=r"first, second are all of the form dense 1x11"):
        open_oracle("arch:deepstarr", path)


# ---- refusals ------------------------------------------------------------------------------------------


def test_an_unknown_architecture_lists_those_there_are(tmp_path: Path) -> None:
    path = saved("deepsea", tmp_path)
    with pytest.raises(PluginError, match="no architecture is named 'deepsee': choose one of basset, beluga, bpnet"):
        open_oracle("arch:deepsee", path)
    with pytest.raises(OracleError, match="can be built in torch, keras, got @jax|can be built in keras, torch"):
        open_oracle("arch:deepsea@jax", path)
    with pytest.raises(OracleError, match="is written arch:NAME or arch:NAME@FRAMEWORK, got 'arch:'"):
        open_oracle("arch:", path)


def test_an_architecture_without_weights_asks_for_them(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match="arch:deepsea must be given a file of weights: add --weights FILE"):
        open_oracle("arch:deepsea")
    (tmp_path / "w.txt").write_text("1 2 3")
    with pytest.raises(OracleError, match=r"must be a file of weights .*got '.txt'"):
        open_oracle("arch:deepsea", tmp_path / "w.txt")


def test_other_weights_are_refused_with_both_sides_and_the_first_difference(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match="architecture left, file right") as raised:
        open_oracle("arch:basset", saved("deepsea", tmp_path))
    first, second, *_ = str(raised.value).splitlines()[1:]
    assert first.split() == "conv1: convolution 300x19x4 0: convolution 12x8x4 <-".split()
    assert second.split() == "norm1: normalisation 300 4: convolution 16x8x12 <-".split()


def test_one_layer_of_another_size_is_the_one_that_is_marked(tmp_path: Path) -> None:
    weights = tables.randomised(PUBLISHED["basset"].module).state_dict()
    weights["4.weight"] = weights["4.weight"][:, :, :9]
    torch.save(weights, tmp_path / "w.pt")
    with pytest.raises(OracleError) as raised:
        open_oracle("arch:basset", tmp_path / "w.pt")
    marked = [line.split() for line in str(raised.value).splitlines() if line.endswith("<-")]
    assert marked == ["conv2: convolution 10x11x12 4: convolution 10x9x12 <-".split()]


def test_a_length_that_does_not_fit_the_dense_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match=r"dense1: dense 15x1300 +12\.1: dense 15x1060 +<-"):
        open_oracle("arch:deepsea", saved("deepsea", tmp_path), length=1200)


def test_another_length_than_the_published_is_found_from_the_weights(tmp_path: Path) -> None:
    module = tables.deepsea()
    module[12] = tables.linear(65 * 20, 15)
    torch.save(tables.randomised(module).state_dict(), tmp_path / "w.pt")
    oracle = open_oracle("arch:deepsea", tmp_path / "w.pt")
    assert oracle.length == 1200
    x = dna(1200)
    assert_close(together(oracle, x), Published(module, 1200, "high", "AGCT").answers(x))


def test_a_padded_basset_is_no_basset_of_another_length(tmp_path: Path) -> None:
    module = tables.basset()
    module[13] = tables.linear(130, 30)
    torch.save(tables.randomised(module).state_dict(), tmp_path / "w.pt")
    with pytest.raises(OracleError, match=r"dense1: dense 30x100 +13\.1: dense 30x130 +<-"):
        open_oracle("arch:basset", tmp_path / "w.pt")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    weights = tables.randomised(PUBLISHED["basset"].module).state_dict()
    weights["4.weight"][0, 0] = float("nan")
    torch.save(weights, tmp_path / "w.pt")
    with pytest.raises(OracleError, match=r"4\.weight|of 4 are not"):
        open_oracle("arch:basset", tmp_path / "w.pt")


# ---- bpnet-lite ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bpnetlite() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("bpnetlite")


BPNETS = [
    *(
        (framework, "state dict", *sizes)
        for framework in ("torch", "keras")
        for sizes in ((0, 1), (0, 2), (2, 2), (2, 1))
    ),
    ("torch", "whole module", 2, 2),
    ("torch", "safetensors", 2, 2),
]


@pytest.mark.peers
@pytest.mark.keras
@pytest.mark.parametrize(("framework", "form", "controls", "outputs"), BPNETS)
def test_bpnet_answers_as_bpnet_lite(bpnetlite, framework, form, controls, outputs, tmp_path) -> None:
    module = bpnetlite.BPNet(n_filters=6, n_layers=4, n_outputs=outputs, n_control_tracks=controls, verbose=False)
    tables.randomised(module)
    path = tmp_path / ("bpnet.safetensors" if form == "safetensors" else "bpnet.torch")
    if form == "safetensors":
        from safetensors.torch import save_file

        save_file(module.state_dict(), path)
    else:
        torch.save(module if form == "whole module" else module.state_dict(), path)
    oracle = open_oracle(f"arch:bpnet@{framework}", path)
    assert oracle.length == 2114
    x = dna(2114, 2)
    bases = torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))
    with torch.no_grad():
        profile, counts = module(bases, torch.zeros(2, controls, 2114) if controls else None)
    answers = oracle.predict(x)
    assert_close(answers["profile"], profile.numpy() if outputs == 2 else profile[:, 0].numpy())
    assert np.abs(answers["counts"] - counts.numpy()).max() <= BOUND * max(1, counts.abs().max())
    head, log_counts = oracle.heads
    assert head.axes == (("strand", "position") if outputs == 2 else ("position",))
    assert (head.offset, head.bin_width, head.scale) == (module.trimming, 1, "logit")
    assert log_counts.scale == "log"


@pytest.mark.peers
def test_both_heads_of_bpnet_are_explained(bpnetlite, tmp_path) -> None:
    module = tables.randomised(bpnetlite.BPNet(n_filters=6, n_layers=2, verbose=False))
    torch.save(module.state_dict(), tmp_path / "bpnet.pt")
    oracle = open_oracle("arch:bpnet", tmp_path / "bpnet.pt", length=300)
    report = explain(oracle, Sequences.from_onehot(dna(300, 2)), "saliency", ["counts", "profile:contribution"])
    assert np.abs(report.attributions.values).max(axis=(1, 2, 3)).min() > 0


@pytest.mark.peers
def test_the_part_without_bias_of_a_whole_chrombpnet_is_read(bpnetlite, tmp_path) -> None:
    parts = [bpnetlite.BPNet(n_filters=f, n_layers=2, n_outputs=1, n_control_tracks=0, verbose=False) for f in (3, 5)]
    whole = tables.randomised(bpnetlite.chrombpnet.ChromBPNet(*parts))
    torch.save(whole.state_dict(), tmp_path / "whole.pt")
    oracle = open_oracle("arch:chrombpnet", tmp_path / "whole.pt", length=300)
    x = dna(300, 2)
    with torch.no_grad():
        profile, counts = whole.accessibility(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32)))
    assert_close(oracle.predict(x)["profile"], profile[:, 0].numpy())
    assert np.abs(oracle.predict(x)["counts"] - counts.numpy()).max() <= BOUND * max(1, counts.abs().max())
