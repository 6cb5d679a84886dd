"""Our conditioning equals that of the host's nodes wherever those are right."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
import torch
from comfy_extras.nodes_wan import patch_motion, process_tracks
from comfy_extras.nodes_wanmove import create_pos_embeddings, replace_feature

WIDTH, HEIGHT = 64, 48


def tracks(frames: int, count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(1, count, 2, generator=generator) * torch.tensor((WIDTH, HEIGHT))
    points = start + 1.5 * torch.randn(frames, count, 2, generator=generator).cumsum(0)
    visible = torch.rand(frames, count, generator=generator) > 0.2
    points[0], visible[0] = start[0], True  # the host copies from a corner where a track begins unseen
    return points, visible


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_wan_move(pack: ModuleType, strength: float) -> None:
    ours = importlib.import_module(f"{pack.__name__}.motion.backends.wan_move").move_cells
    points, visible = tracks(17, 3, seed=0)
    # One track to a cell: where several meet the host throws dice.
    cells = create_pos_embeddings(points, visible, [4, 8, 8], HEIGHT, WIDTH)
    for frame in range(1, 5):
        places = [tuple(place) for place in cells[:, frame].tolist() if place[0] >= 0]
        assert len(places) == len(set(places))
    latent = torch.randn(1, 16, 5, 6, 8, generator=torch.Generator().manual_seed(1))
    theirs = replace_feature(latent.clone(), cells[None], strength)
    torch.testing.assert_close(ours(latent, points, visible, strength), theirs)


@pytest.mark.parametrize(("length", "count"), [(17, 1), (81, 5), (49, 2), (161, 3), (81, 120)])
def test_ati(pack: ModuleType, length: int, count: int) -> None:
    ours = importlib.import_module(f"{pack.__name__}.motion.backends.ati").apply_tracks
    points, visible = tracks(121, count)
    latent = torch.randn(1, 16, (length - 1) // 4 + 1, 6, 8, generator=torch.Generator().manual_seed(1))
    listed = torch.cat((points, visible[..., None].float()), -1).movedim(1, 0)[:, :, None].numpy()  # [N, 121, 1, 3]
    mask, moved = patch_motion(process_tracks(listed, (WIDTH, HEIGHT), length - 1)[None, None], latent)
    our_latent, our_mask = ours(latent, points, visible, WIDTH, HEIGHT)
    torch.testing.assert_close(our_latent, moved, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(our_mask, 1 - mask, atol=1e-5, rtol=1e-4)
