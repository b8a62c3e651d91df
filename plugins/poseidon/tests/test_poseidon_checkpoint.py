"""Checkpoint folders: where they are found, what is opened, what starts anew."""

import json
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_poseidon.checkpoint import (
    find_checkpoint,
    load_network,
    read_weights,
    save_network,
)
from pdebench_poseidon.finetune import start_from
from pdebench_poseidon.network import ScOT
from pdebench_poseidon.official import from_config, official_key

from pdebench import origin
from pdebench.config import compose
from pdebench.errors import ConfigError, DataError
from pdebench.solver import Budget
from pdebench.testing.problems import conformance_tasks


def small(channels: int = 2, residual: str = "convnext") -> ScOT:
    torch.manual_seed(channels)
    return ScOT(
        channels, channels, 32, embed_dim=8, depths=(1, 1), heads=(1, 2), skips=(1, 0), window=4,
        residual=residual,
    ).eval()  # type: ignore[arg-type]  # fmt: skip


def answer(network: ScOT) -> torch.Tensor:
    x = torch.randn(2, network.in_channels, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return network(x, torch.tensor([0.3, 1.0]))


@pytest.mark.parametrize("residual", ["convnext", "resnet"])
def test_saved_networks_come_back(tmp_path: Path, residual: str) -> None:
    network = small(residual=residual)
    save_network(network, tmp_path)
    # the released mask of -200 instead of an exclusion: equal in float32
    assert torch.allclose(answer(load_network(tmp_path)), answer(network), rtol=0, atol=1e-7)


def test_a_hub_cache_is_read_and_nothing_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    kept = tmp_path / "models--owner--Name-T"
    save_network(small(), kept / "snapshots" / "abc")
    save_network(small(3), kept / "snapshots" / "older")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("abc")
    assert find_checkpoint("owner/Name-T") == kept / "snapshots" / "abc"
    assert load_network("owner/Name-T").in_channels == 2
    with pytest.raises(DataError, match=r"nor in the hub cache .*nothing is downloaded"):
        find_checkpoint("owner/Other")


def test_pickles_are_opened_by_the_weights_only_loader(tmp_path: Path) -> None:
    network = small()
    save_network(network, tmp_path)
    state = read_weights(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        read_weights(tmp_path)
    torch.save(state, tmp_path / "pytorch_model.bin")
    assert torch.equal(answer(load_network(tmp_path)), answer(from_saved(state, tmp_path)))

    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(tmp_path / "ran"),)  # type: ignore[return-value]

    torch.save({"weight": Malicious()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match="not a file of plain tensors"):
        read_weights(tmp_path)
    assert not (tmp_path / "ran").exists()


def from_saved(state: dict[str, torch.Tensor], folder: Path) -> ScOT:
    network = from_config(json.loads((folder / "config.json").read_text()))
    own = {key: state[official_key(key)] for key in network.state_dict()}
    network.load_state_dict(own)
    return network.eval()


def test_broken_folders_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"config\.json' does not exist"):
        load_network(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DataError, match="is no JSON"):
        load_network(tmp_path)
    (tmp_path / "config.json").write_text('{"hidden_act": "relu"}')
    with pytest.raises(ConfigError, match="hidden_act='relu'"):
        load_network(tmp_path)
    save_network(small(), tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(DataError, match="cannot be read"):
        load_network(tmp_path)


def test_ends_start_anew_where_the_channels_differ(tmp_path: Path) -> None:
    source = small(2)
    save_network(source, tmp_path)
    same, other = small(2), small(3)
    torch.nn.init.zeros_(same.embed.projection.weight)
    before = other.embed.projection.weight.clone()
    assert start_from(same, str(tmp_path)) == ()
    assert torch.equal(same.embed.projection.weight, source.embed.projection.weight)
    assert start_from(other, str(tmp_path)) == ("embed.projection.", "recover.")
    assert torch.equal(other.embed.projection.weight, before)
    body = "encoder.0.blocks.0.first.weight"
    assert torch.equal(other.state_dict()[body], source.state_dict()[body])
    wide = ScOT(2, 2, 32, embed_dim=16, depths=(1, 1), heads=(1, 2), skips=(1, 0), window=4)
    with pytest.raises(ConfigError, match=r"weights do not fit: .*has shape \(8,"):
        start_from(wide, str(tmp_path))


def test_a_solver_is_fine_tuned_saved_and_loaded_without_the_checkpoint(tmp_path: Path) -> None:
    save_network(small(4), tmp_path / "pretrained")
    task = conformance_tasks()[1]
    overrides = [
        "solver=poseidon",
        "solver.architecture.embed_dim=8",
        "solver.architecture.depths=[1,1]",
        "solver.architecture.heads=[1,2]",
        "solver.architecture.window=4",
        f"solver.checkpoint={tmp_path / 'pretrained'}",
        "+solver.rates._target_=pdebench_poseidon.finetune.Rates",
    ]
    fitted = instantiate(compose(overrides).solver, _convert_="all")
    train, valid = task.samples("train"), task.samples("valid")
    started = fitted.build(train).network.encoder[0].blocks[0].first.weight
    assert torch.equal(started, small(4).encoder[0].blocks[0].first.weight)
    fitted.fit(train, valid, Budget(epochs=1))
    assert fitted.fresh == ("embed.projection.", "recover.")
    fitted.save(tmp_path / "fitted")
    for file in (tmp_path / "pretrained").iterdir():
        file.unlink()
    (tmp_path / "pretrained").rmdir()
    again = instantiate(compose(overrides).solver, _convert_="all")
    again.load(tmp_path / "fitted")
    problem = task.samples("test").problem
    assert torch.equal(again.solve(problem).u, fitted.solve(problem).u)


def test_a_fitted_solver_is_a_start_for_the_next(tmp_path: Path) -> None:
    """Pretrain, keep, fine-tune on other channels: the body comes over, the scalings do not."""
    steady, evolve = conformance_tasks()[1], conformance_tasks()[0]
    small_net = ["solver=poseidon", "solver.architecture.embed_dim=8", "solver.form.pairs=2"]
    first = instantiate(compose(small_net).solver, _convert_="all")
    first.fit(evolve.samples("train"), evolve.samples("valid"), Budget(epochs=1))
    first.save(tmp_path)
    origin.write(tmp_path, "flow/evolve", "flow/forced", samples=6, seconds=1.5)
    second = instantiate(compose([*small_net, f"solver.checkpoint={tmp_path}"]).solver)
    assert second.pretraining is None
    model = second.build(steady.samples("train"))
    assert second.fresh == ()
    before = second.pretraining
    assert (before.source, before.data) == (str(tmp_path), ("flow/forced",))
    assert (before.samples, before.seconds) == (6, 1.5)
    for key, value in model.network.state_dict().items():
        assert torch.equal(value, first.model.network.state_dict()[key]), key
    assert not torch.equal(model.inputs.std, first.model.inputs.std)
    window = instantiate(
        compose([*small_net, f"solver.checkpoint={tmp_path}", "solver.form.window=3"]).solver
    )
    window.build(evolve.samples("train"))
    assert window.fresh == ("embed.projection.",)
