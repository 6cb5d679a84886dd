"""Decoding latent frame by latent frame: continued, in a loop, and in windows for networks that see the whole clip."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from rooms.models.vae import CausalVideoVAE
from rooms.video import interrupt
from rooms.video.decode import (
    LOOP_WARM_UP,
    CausalClip,
    WanDecoder,
    Windows,
    decode_chunks,
    to_frames,
    windowed_chunks,
    windows_for,
)
from support.tiny_weights import random_vae
from torch import Tensor


@pytest.fixture(scope="module")
def vae() -> CausalVideoVAE:
    return random_vae(8)


def latent(frames: int, seed: int = 1) -> Tensor:
    return torch.randn(1, 16, frames, 2, 3, generator=torch.Generator().manual_seed(seed))


def clip(vae: CausalVideoVAE, frames: Tensor, **options: object) -> CausalClip:
    return CausalClip(frames, lambda: WanDecoder(vae), **options)


def all_frames(one: CausalClip) -> Tensor:
    frames = torch.cat(list(one.chunks()))
    assert len(frames) == one.frames
    return frames


def test_decoded_chunks_are_the_whole_decode_bit_for_bit(vae: CausalVideoVAE) -> None:
    chunks = list(decode_chunks(vae, latent(5)))
    assert [tuple(chunk.shape) for chunk in chunks] == [(1, 16, 24, 3)] + [(4, 16, 24, 3)] * 4
    with torch.no_grad():
        whole = ((vae.decode(latent(5))[0].permute(1, 2, 3, 0) + 1) / 2).clamp(0, 1)
    assert torch.equal(torch.cat(chunks), whole)
    assert all(chunk.dtype == torch.float32 for chunk in chunks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_decoded_chunks_are_the_same_with_weights_laid_out_for_speed(vae: CausalVideoVAE, dtype: torch.dtype) -> None:
    fast = copy.deepcopy(vae).to(dtype).optimize_layout()
    with torch.inference_mode():
        whole = to_frames(fast.decode(latent(5).to(dtype)))
    assert torch.equal(torch.cat(list(decode_chunks(fast, latent(5)))), whole)


def test_the_memory_of_a_decode_stays_where_it_is_and_holds_nothing_else(vae: CausalVideoVAE) -> None:
    decoder = WanDecoder(copy.deepcopy(vae).optimize_layout())
    state, places = decoder.new_state(), []
    for frame in latent(5).split(1, dim=2):
        decoder.step(frame, state)
        places.append({name: past.data_ptr() for name, past in state.past.items()})
        assert all(past.untyped_storage().nbytes() == past.nbytes for past in state.past.values())
    assert places[2] == places[3] == places[4]
    copied = state.to("cpu")
    before = {name: past.clone() for name, past in copied.past.items()}
    decoder.step(latent(1, seed=2), state)
    assert all(torch.equal(past, before[name]) for name, past in copied.past.items())


@pytest.mark.parametrize("keep_end", [True, False])
def test_a_piece_that_goes_on_is_the_rest_of_the_whole_bit_for_bit(vae: CausalVideoVAE, keep_end: bool) -> None:
    whole = all_frames(clip(vae, latent(7)))
    first = clip(vae, latent(7)[:, :, :3], keep_end=keep_end)
    second = clip(vae, latent(7)[:, :, 3:5], before=first)
    third = clip(vae, latent(7)[:, :, 5:], before=second)
    assert torch.equal(torch.cat([all_frames(first), all_frames(second), all_frames(third)]), whole)
    assert torch.equal(all_frames(second), whole[9:17])  # and again, from the state that is still there


def test_a_piece_that_goes_on_decodes_nothing_twice(vae: CausalVideoVAE) -> None:
    steps = []

    class Counted(WanDecoder):
        def step(self, frame: Tensor, state: object) -> Tensor:
            steps.append(1)
            return super().step(frame, state)

    first = CausalClip(latent(7)[:, :, :4], lambda: Counted(vae), keep_end=True)
    second = CausalClip(latent(7)[:, :, 4:], lambda: Counted(vae), before=first)
    all_frames(first)
    all_frames(second)
    assert len(steps) == 7


def test_a_loop_is_one_period_of_the_endless_clip(vae: CausalVideoVAE) -> None:
    period = latent(5)
    loop = all_frames(clip(vae, period, loop=True))
    endless = all_frames(clip(vae, period.repeat(1, 1, 12, 1, 1)))
    assert len(loop) == 20
    assert torch.allclose(loop, endless[-20:], atol=2e-3)
    assert not torch.allclose(loop[3:], all_frames(clip(vae, period)), atol=2e-3)


def test_a_loop_may_begin_anywhere(vae: CausalVideoVAE) -> None:
    """The period moved by one latent frame is the same film moved by four frames: no place in it is special."""
    period = latent(6)
    loop = all_frames(clip(vae, period, loop=True))
    moved = all_frames(clip(vae, period.roll(-1, dims=2), loop=True))
    assert torch.allclose(loop.roll(-4, dims=0), moved, atol=2e-3)
    assert LOOP_WARM_UP == 38


def test_a_forward_is_cancelled_between_its_layers(vae: CausalVideoVAE) -> None:
    asked = []

    class Cancelled(BaseException):
        pass

    def question() -> None:
        asked.append(1)
        if len(asked) == 5:
            raise Cancelled

    with interrupt.asking(question), pytest.raises(Cancelled):
        list(decode_chunks(vae, latent(2)))
    assert len(asked) == 5
    assert all(not module._forward_pre_hooks for module in vae.modules())


def causal_average(time: int, reach: int) -> Callable[[Tensor], Tensor]:
    """A decoder whose frames are the mean of the latents within `reach` of them, as far as it is shown them; [frames, 1, 1, 3]."""

    def decode(piece: Tensor) -> Tensor:
        values = piece[0, 0, :, 0, 0]
        smooth = torch.stack([values[max(0, i - reach) : i + reach + 1].mean() for i in range(len(values))])
        return torch.cat([smooth[:1], smooth[1:].repeat_interleave(time)]).view(-1, 1, 1, 1).expand(-1, 1, 1, 3).contiguous()

    return decode


@pytest.mark.parametrize("time", [4, 6, 8])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 16, 17, 23, 40])
def test_windows_make_every_frame_once_in_order(time: int, count: int) -> None:
    windows = windows_for(lambda n: max(0, n * time - time + 1), frame_bytes=1000)
    assert windows is not None and windows.length >= windows.overlap + 2
    position = torch.arange(count).float().view(1, 1, count, 1, 1).expand(1, 4, count, 1, 1)
    frames = torch.cat(list(windowed_chunks(position, windows, causal_average(time, 0))))
    assert torch.equal(frames, causal_average(time, 0)(position))


def test_windows_are_near_the_whole_decode_of_a_network_that_looks_around() -> None:
    windows = Windows(time=4, length=10, overlap=4)
    values = torch.randn(1, 4, 41, 1, 1, generator=torch.Generator().manual_seed(2))
    decode = causal_average(4, 1)
    frames = torch.cat(list(windowed_chunks(values, windows, decode)))
    whole = decode(values)
    assert frames.shape == whole.shape
    untouched = (frames == whole).all(dim=-1).float().mean()
    assert untouched > 0.7 and (frames - whole).abs().max() < 0.5 * whole.abs().max()


def test_a_clip_that_fits_into_one_window_is_decoded_whole() -> None:
    calls = []

    def decode(piece: Tensor) -> Tensor:
        calls.append(piece.shape[2])
        return causal_average(4, 9)(piece)

    list(windowed_chunks(latent(10), Windows(4, 10, 4), decode))
    assert calls == [10]


def test_large_frames_get_short_windows_and_strange_time_axes_none() -> None:
    huge = windows_for(lambda n: 8 * n - 7, frame_bytes=100 * 2**20)
    assert huge is not None and huge.length == huge.overlap + 2
    assert windows_for(lambda n: max(1, (n - 2) // 5 * 17 + 5), frame_bytes=1000) is None
