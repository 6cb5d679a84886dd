"""What the denoiser is trained on, and the promises of its training command."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from support.tiny_weights import random_vae, write_text_encoder, write_vae

from models.dit import WanDiT
from models.text_encoder import load_text_encoder
from training.known_frames import conditioning
from training.latent_pool import Group, LatentPool, calmed, thing_cover
from training.layout_guide import COVER, KIND, LayoutGuide, scene_layout
from training.pixel_metric import pixel_metric
from training.sampling import sample
from training.train_dit import DEFAULTS, Trainer, export
from training.world import LABELS, render, sample_scene
from training.world.scene import scene_for

POOL = {"text_dropout": 0.1, "text_tokens": 64, "thing_weight": 6.0, "compile": False}


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    vae, encoder = random_vae(), load_text_encoder(write_text_encoder(tmp_path_factory.mktemp("text") / "text.safetensors")).float()
    return lambda **group: LatentPool(vae, encoder, POOL, Group(height=64, width=64, batch=4, **group), 0)


def test_text_is_as_long_as_it_has_to_be_but_always_the_same_for_a_compiled_step(pooled):
    pool = pooled(frames=1)
    pool.add(4)
    for compiled in (False, True):
        pool.config = POOL | {"text_tokens": 2000, "compile": compiled}
        assert (pool.batch(pool.examples).text.shape[1] == 2000) == compiled


def test_a_single_picture_knows_no_frames(pooled):
    pool = pooled(frames=1, known=0.5, tracked=0.5)
    pool.add(4)
    batch = pool.batches()["1x64x64"]
    assert batch.latent.shape == (4, 16, 1, 8, 8) and not batch.known.any()
    assert batch.weight.mean((1, 2, 3, 4)).sub(1).abs().max() < 1e-5


def test_close_ups_are_windows_of_whole_tokens_with_a_thing_in_them(pooled):
    pool = pooled(frames=5, known=1.0, close_ups=6, close_cells=4)
    pool.add(4)
    for one in pool.examples:
        cells = torch.arange(64.0).view(8, 8)  # every cell tells its own number
        one.latent, one.known = cells.expand(16, 2, 8, 8), cells.expand(20, 2, 8, 8)
        one.things[:, :6, :6] = 0  # so a thing lies in the lower right corner at most
    for one in pool.examples:
        close = one.close_up(4, pool.rng)
        first = int(close.latent[0, 0, 0, 0])
        top, left = divmod(first, 8)
        assert top % 2 == left % 2 == 0
        window = (..., slice(top, top + 4), slice(left, left + 4))
        assert torch.equal(close.latent, one.latent[window]) and torch.equal(close.known, one.known[window])
        assert torch.equal(close.things, one.things[window])
        assert torch.equal(close.layout, one.layout[:, top // 2 : top // 2 + 2, left // 2 : left // 2 + 2])
        assert close.things.any() or not one.things.any()
    batches = pool.batches()
    assert [len(batch.latent) for batch in batches.values()] == [4, 6]
    assert batches["5x64x64 close"].latent.shape == (6, 16, 2, 4, 4)
    assert batches["5x64x64 close"].weight.mean((1, 2, 3, 4)).sub(1).abs().max() < 1e-5


def test_known_and_tracked_clips_come_in_the_shares_asked_for(pooled):
    pool = pooled(frames=5, known=0.25, tracked=0.25)
    pool.rng = random.Random(5)
    for _ in range(5):
        pool.add(8)
    seen = [example.known for example in pool.examples]
    assert 10 <= sum(known is not None for known in seen) <= 30
    carried = [known for known in seen if known is not None and known[:4, 1].max() == 0]  # only the first frame is told
    still = [known for known in carried if torch.equal(known[:4, 0], torch.ones(4, 8, 8))]
    assert still


def test_a_collage_always_has_its_first_frame_or_others(pooled):
    pool = pooled(frames=5, known=0.1, tracked=0.3, collage=1.0)
    pool.add(4)
    assert all(example.known is not None for example in pool.examples)


def test_everything_in_a_collage_counts_alike(pooled):
    pool = pooled(frames=5, known=1.0, collage=1.0)
    pool.add(4)
    assert torch.equal(pool.batch(pool.examples).weight, torch.ones(4, 1, 2, 8, 8))


@pytest.mark.parametrize(("known", "kept"), [((1, 1, 0), 2), ((0, 0, 1), 0), ((1, 0, 1), 1)])
def test_the_sampler_keeps_the_frames_that_are_known_from_the_first_on(known: tuple[int, ...], kept: int):
    noise, clip = torch.randn(2, 16, 3, 4, 4), torch.randn(2, 16, 3, 4, 4)
    text = torch.zeros(2, 1, 8), torch.ones(2, 1, dtype=torch.bool)
    extra = conditioning(torch.tensor(known).view(1, 1, 3, 1, 1).expand(2, 4, 3, 4, 4).float(), clip)
    told: list[float] = []

    def flow(entry: torch.Tensor, timestep: torch.Tensor, *_: object) -> torch.Tensor:
        told.append(float(timestep[0]) / 1000)
        torch.testing.assert_close(entry[:, :16, :kept], torch.lerp(clip, noise, told[-1])[:, :, :kept])
        return torch.ones_like(entry[:, :16])

    made = sample(flow, noise, extra, text, text, steps=4, guidance=1.0)
    torch.testing.assert_close(made[:, :, :kept], clip[:, :, :kept])
    torch.testing.assert_close(made[:, :, kept:], noise[:, :, kept:] - 1)
    assert len(told) == 4


def test_what_is_tracked_is_carried_to_where_it_truly_goes(pooled):
    pool = pooled(frames=17, tracked=1.0)
    scene = scene_for("ball", "red", "roll", "right", seed=4)
    rendered = render([scene], 17, 64, 64)
    latent = torch.arange(64.0).view(1, 1, 1, 8, 8).expand(1, 16, 5, 8, 8).clone()
    latent[:, :, 1:] = -1
    pool.rng = random.Random(1)
    moved = pool._carry(latent, rendered, 0)
    inside = thing_cover(rendered.masks)[0, 4] > 0.3
    arrived = moved[0, 0, 4][inside]
    assert (arrived >= 0).any(), "some cells of the ball in the last frame hold what the first picture had"
    columns = (arrived[arrived >= 0] % 8).mean()
    start = (thing_cover(rendered.masks)[0, 0] > 0.3).nonzero()[:, 1].float().mean()
    assert (columns - start).abs() < 2, "and it is the ball's own cells that arrived there"
    assert torch.equal(moved[:, :, 0], latent[:, :, 0])


def test_a_calmed_collage_begins_alike_and_only_one_cut_out_moves():
    rng = random.Random(3)
    drawn = (sample_scene(rng, "train", "collage") for _ in range(200))
    scene = next(one for one in drawn if len(one.cutouts) > 2 and one.drift != (0.0, 0.0))
    before, after = render([scene], 9, 64, 64), render([calmed(scene, rng)], 9, 64, 64)
    assert torch.equal(before.video[0, 0], after.video[0, 0])
    moved = (after.tracks[0] - after.tracks[0, :1]).abs().amax((0, 2)) > 0.01
    assert len(set(after.owners[0][moved].tolist())) == 1 and -1 not in after.owners[0][moved]


def test_in_a_still_group_nothing_moves(pooled):
    pool = pooled(frames=9, still=1.0)
    scenes = [pool._draw_scene("picture_book") for _ in range(4)]
    masks = render(scenes, 9, 64, 64).masks
    assert torch.equal(masks, masks[:, :1].expand_as(masks))
    assert masks.any((1, 3, 4)).sum(1).tolist() == [len(scene.things) for scene in scenes]


def test_the_layout_says_what_each_token_shows():
    scene = scene_for("car", "blue", "drive", "right", size="large")
    rendered = render([scene], 17, 128, 128)
    values = scene_layout([scene], rendered.masks)
    assert values.shape == (1, 5, 8, 8, 5)
    label = 1 + LABELS["kind"].index("car")
    assert set(values[..., KIND].unique().tolist()) == {0.0, float(label)}
    assert values[..., COVER].max() > 0.7 and values[..., COVER].min() == 0
    first, last = values[0, 0, ..., COVER], values[0, 4, ..., COVER]
    columns = torch.arange(8.0)
    assert (last.sum(0) * columns).sum() / last.sum() > (first.sum(0) * columns).sum() / first.sum() + 1, "it drives to the right"
    shown = values[0, 2][values[0, 2, ..., KIND] > 0]
    assert shown[:, 2].min() < -0.5 and shown[:, 2].max() > 0.5, "its left and its right part"


def test_a_collages_cutouts_have_no_name():
    generator = random.Random(2)
    scenes = [sample_scene(generator, "train", "collage") for _ in range(3)]
    kinds = scene_layout(scenes, render(scenes, 1, 64, 64).masks)[..., KIND]
    assert set(kinds.unique().tolist()) <= {-1.0, 0.0} and (kinds == -1).any()


def test_the_guide_is_content_only_with_the_truth():
    torch.manual_seed(0)
    scenes = [scene_for(kind, "red", "stay") for kind in ("ball", "car", "house", "tree")]
    layout = scene_layout(scenes, render(scenes, 1, 128, 128).masks)
    block = torch.nn.Identity()
    guide = LayoutGuide(block, 32)
    tokens = torch.randn(4, 64, 32)
    optimizer = torch.optim.Adam(guide.parameters(), 3e-3)
    errors = []
    for _ in range(150):
        block(tokens)
        error = guide.loss(layout)
        error.backward()
        optimizer.step()
        optimizer.zero_grad()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.4 * errors[0]
    block(tokens)
    assert float(guide.loss(layout.roll(1, 0)).detach()) > 2 * errors[-1]
    with pytest.raises(RuntimeError, match="expected a forward pass"):
        guide.loss(layout)


@pytest.fixture(scope="module")
def small_config(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("weights")
    vae, encoder = write_vae(folder / "vae.safetensors"), write_text_encoder(folder / "text.safetensors")
    group = {"height": 32, "width": 32, "batch": 2, "first": 4, "most": 6}
    stages = [
        {"until": 0.5, "groups": [{"frames": 1, **group}, {"frames": 5, **group, "tracked": 0.5}]},
        {"until": 1.0, "groups": [{"frames": 9, **group, "known": 0.5, "every": 2, "collage": 0.5}]},
    ]
    return {**DEFAULTS, "dim": 64, "ffn_dim": 64, "num_layers": 2, "num_heads": 2, "guide_block": 0, "stages": stages, "steps": 4,
            "vae": str(vae), "text_encoder": str(encoder), "metric_clips": 1, "device": "cpu"}  # fmt: skip


def test_a_run_goes_through_its_stages_stops_and_goes_on(small_config: dict, tmp_path: Path):
    first = Trainer({**small_config, "steps": 2}, tmp_path)
    first.train()
    assert (tmp_path / "sample_end.png").is_file()
    second = Trainer(small_config, tmp_path)
    assert second.clock.step == 2
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    second.train()
    assert [pool.group.frames for pool in second.pools] == [9]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines and all(torch.isfinite(torch.tensor(value)) for line in lines for value in line.values())
    export(tmp_path, tmp_path / "box.safetensors")
    weights = load_file(tmp_path / "box.safetensors")
    assert not any("guide" in name or name.startswith("read.") for name in weights)
    with safe_open(tmp_path / "box.safetensors", "pt") as file:
        assert file.metadata()["spacetime.motion"] == "wan_move", "so that Apply Motion knows that tracks steer it"
    WanDiT.from_state_dict({name: value.float() for name, value in weights.items()}, {"num_heads": 2})


def test_the_pixel_metric_counts_what_the_decoder_shows():
    vae = random_vae()
    with torch.no_grad():
        vae.conv2.weight[:, 3] = 0  # what is in channel 3 never reaches a pixel
    metric = pixel_metric(vae, plain=0.0, clips=2)
    assert metric.shape == (16, 16)
    assert (metric @ torch.eye(16)[3]).norm() < 1e-3
    assert (metric @ metric.T).diagonal().mean().sub(1).abs() < 1e-4
    blended = pixel_metric(vae, plain=0.5, clips=2)
    assert (blended @ torch.eye(16)[3]).square().sum().sub(0.5).abs() < 1e-3, "half of the plain error is left of it"
