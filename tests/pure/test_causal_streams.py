"""Chunk by chunk is the same as the whole clip, and a clip can be put aside and continued."""

from __future__ import annotations

import copy

import pytest
import torch
from support.compare import relative_error
from support.tiny_weights import random_vae
from torch import Tensor

from models.vae import CausalState, CausalVideoVAE
from training.standing import forget_the_past

FRAMES = (1, 5, 17, 33)


@pytest.fixture(scope="module", params=("remembers", "forgets"))
def vae(request: pytest.FixtureRequest) -> CausalVideoVAE:
    """Random weights, and the same with an encoder that does not look back."""
    vae = random_vae(8)
    if request.param == "forgets":
        forget_the_past(vae)
    return vae


def latents(frames: int) -> Tensor:
    return torch.randn(1, 16, (frames - 1) // 4 + 1, 4, 6, generator=torch.Generator().manual_seed(4))


def video(frames: int) -> Tensor:
    return torch.rand(1, 3, frames, 32, 48, generator=torch.Generator().manual_seed(5)) * 2 - 1


@pytest.mark.parametrize("frames", FRAMES)
@torch.no_grad()
def test_streamed_decode_is_the_whole_decode_bit_for_bit(vae: CausalVideoVAE, frames: int) -> None:
    chunks = list(vae.decode_stream(latents(frames)))
    assert [chunk.shape[2] for chunk in chunks] == [1] + [4] * ((frames - 1) // 4)
    assert torch.equal(torch.cat(chunks, dim=2), vae.decode(latents(frames)))


@torch.no_grad()
def test_decode_in_one_network_call_is_the_streamed_decode(vae: CausalVideoVAE) -> None:
    """All latent frames through the convolutions at once, as training does it; sums are taken in another order."""
    whole = vae.decode_chunk(latents(17))
    torch.testing.assert_close(whole, vae.decode(latents(17)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sizes", ([17], [1] * 17, [2, 9, 6], [16, 1]), ids=str)
@torch.no_grad()
def test_streamed_encode_does_not_depend_on_how_frames_arrive(vae: CausalVideoVAE, sizes: list[int]) -> None:
    streamed = torch.cat(list(vae.encode_stream(video(17).split(sizes, dim=2))), dim=2)
    assert torch.equal(streamed, vae.encode(video(17)))


def test_gradients_flow_through_the_same_network(vae: CausalVideoVAE) -> None:
    """Without gradients a CPU is given other forms of the same sums, in float32 and with weights in any layout."""
    with torch.enable_grad():
        decoded, encoded = vae.decode(latents(9)), vae.encode(video(9))
    for network in (vae, copy.deepcopy(vae).optimize_layout()):
        with torch.no_grad():
            assert relative_error(network.decode(latents(9)), decoded) <= 1e-5
            assert relative_error(network.encode(video(9)), encoded) <= 1e-5


@torch.no_grad()
def test_a_batch_is_its_clips(vae: CausalVideoVAE) -> None:
    two = torch.cat([latents(9), latents(9).flip(2)])
    torch.testing.assert_close(vae.decode(two), torch.cat([vae.decode(one) for one in two.split(1)]), rtol=1e-4, atol=1e-5)
    clips = torch.cat([video(9), video(9).flip(2)])
    torch.testing.assert_close(vae.encode(clips), torch.cat([vae.encode(one) for one in clips.split(1)]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cut", (1, 2, 4))
@torch.no_grad()
def test_a_saved_state_resumed_is_the_uninterrupted_decode(vae: CausalVideoVAE, cut: int) -> None:
    clip = latents(17)
    state = CausalState()
    first = list(vae.decode_stream(clip[:, :, :cut], state))
    saved = CausalState(state.first, {name: past.clone() for name, past in state.past.items()})
    list(vae.decode_stream(torch.randn(1, 16, 2, 4, 6), state))  # what becomes of the first state does not matter
    rest = list(vae.decode_stream(clip[:, :, cut:], saved))
    assert torch.equal(torch.cat(first + rest, dim=2), vae.decode(clip))


@pytest.mark.parametrize("cut", (1, 5, 9))
@torch.no_grad()
def test_a_saved_state_resumed_is_the_uninterrupted_encode(vae: CausalVideoVAE, cut: int) -> None:
    clip = video(17)
    state = CausalState()
    first = list(vae.encode_stream([clip[:, :, :cut]], state))
    rest = list(vae.encode_stream([clip[:, :, cut:]], state.clone()))
    assert torch.equal(torch.cat(first + rest, dim=2), vae.encode(clip))


@torch.no_grad()
def test_the_memory_of_a_stream_does_not_grow(vae: CausalVideoVAE) -> None:
    sizes = []
    state = CausalState()
    for _ in vae.decode_stream(latents(33), state):
        sizes.append(sum(past.numel() for past in state.past.values()))
    assert sizes[2] == sizes[-1]


@torch.no_grad()
def test_encode_refuses_a_length_that_is_not_4n_plus_1(vae: CausalVideoVAE) -> None:
    with pytest.raises(ValueError, match="4n\\+1"):
        vae.encode(video(18))
