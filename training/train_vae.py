"""Train the causal video VAE of the box on rendered clips: `python -m training.train_vae --config training/configs/vae.json --out DIR`.

Loss: mean absolute error of the reconstruction and the logarithm of its mean square, which is what decibels count, plus a small
Kullback-Leibler term that keeps latents near a unit normal. Each latent frame stands for itself (`training/standing.py`).
The end of a run (`--export FILE`) folds a linear map into the 1x1x1 convolutions around the latents, so that they have the published
statistics of Wan latents and that the host's linear step preview shows roughly the right colours. A run that goes on from a file with
`latent_weight` holds its latents near those of that file instead, so that a denoiser made for them needs little or no fitting.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.vae import LATENT_MEAN, LATENT_STD, CausalVideoVAE, FrameAttention, ResidualBlock, VAEConfig, normalize_latent
from training.known_frames import draw_known, grey_unknown
from training.linear_start import cascade_of, settle, straight
from training.pixel_metric import pixel_metric
from training.round_trip import exact, rendered, through_vae
from training.run import Average, Clock, Optimizers, Run, learning_rate_factor, mixed_precision, pick_device, psnr, run_command, save_clips
from training.standing import draw_standing, forget_the_past
from training.widen import widened
from training.world import render, sample_scene

DEFAULTS: dict[str, Any] = {
    "base_width": 16,
    "start_from": None,
    "straight_steps": 0,
    "straight_lr": 1e-3,
    "straight_muon_lr": 0.01,
    "steps": 6000,
    "minutes": None,
    "batch": 6,
    "frames": [5, 9, 5, 17],
    "picture": 128,
    "crop": 48,
    "half_share": 0.5,
    "tries": 1,
    "pool": 1024,
    "fresh": 1,
    "collage_share": 0.15,
    "lr": 5e-4,
    "muon_lr": 0.01,
    "trunk_rate": 1.0,
    "warmup": 30,
    "kl_weight": 2e-4,
    "decibel_weight": 0.06,
    "standing_share": 0.15,
    "known_share": 0.06,
    "decoder_only": False,
    "latent_weight": 0.0,
    "ema": 0.998,
    "grad_clip": 1.0,
    "seed": 0,
    "device": "auto",
    "compile": False,
    "sample_every_minutes": 10,
}

LEAST = 1e-3  # mean square error, of values in -1..1, below which a piece is hardly improved any more: 36 dB
SEEN_POWER = 0.5  # how far the spread of latents follows what they show, 0 to 1

# Colours of the host's linear step preview for Wan 2.1 latents (comfy/latent_formats.py): rows are channels, columns red, green, blue.
PREVIEW_FACTORS = (
    (-0.1299, -0.1692, 0.2932), (0.0671, 0.0406, 0.0442), (0.3568, 0.2548, 0.1747), (0.0372, 0.2344, 0.1420),
    (0.0313, 0.0189, -0.0328), (0.0296, -0.0956, -0.0665), (-0.3477, -0.4059, -0.2925), (0.0166, 0.1902, 0.1975),
    (-0.0412, 0.0267, -0.1364), (-0.1293, 0.0740, 0.1636), (0.0680, 0.3019, 0.1128), (0.0032, 0.0581, 0.0639),
    (-0.1251, 0.0927, 0.1699), (0.0060, -0.0633, 0.0005), (0.3477, 0.2275, 0.2950), (0.1984, 0.0913, 0.1861),
)  # fmt: skip


class ClipPool:
    """Rendered clips in memory, a few of them fresh at every step, so that rendering takes little of the time.

    Pieces are random crops of `crop` pixels, `half_share` of them from the clip at half size, the others from the clip at full size: the
    busiest of `tries`, since most of a picture book is sky that any weights rebuild.
    """

    def __init__(self, config: dict[str, Any], seed: int) -> None:
        self.config, self.rng = config, random.Random(seed)
        self.clips: list[Tensor] = []
        self._render(config["pool"] // 8)

    def _render(self, count: int) -> None:
        if count == 0:
            return
        share = self.config["collage_share"]
        styles = ["collage" if self.rng.random() < share else "picture_book" for _ in range(count)]
        scenes = [sample_scene(self.rng, "train", style) for style in styles]
        picture = self.config["picture"]
        for clip in render(scenes, max(self.config["frames"]), picture, picture).video:  # [T, 3, H, W] uint8
            if len(self.clips) < self.config["pool"]:
                self.clips.append(clip)
            else:
                self.clips[self.rng.randrange(len(self.clips))] = clip

    def batch(self, count: int, frames: int) -> Tensor:
        """[count, 3, frames, crop, crop] in -1..1."""
        fresh = self.config["fresh"]
        self._render(int(fresh) + (self.rng.random() < fresh % 1))
        crop, pieces = self.config["crop"], []
        for _ in range(count):
            clip = self.rng.choice(self.clips)
            start = self.rng.randrange(len(clip) - frames + 1)
            clip = clip[start : start + frames]
            clip = clip.float()
            if self.rng.random() < self.config["half_share"]:
                clip = torch.nn.functional.avg_pool2d(clip, 2)
            tried = [self._crop(clip, crop) for _ in range(self.config["tries"])]
            pieces.append(max(tried, key=busyness) if len(tried) > 1 else tried[0])
        return torch.stack(pieces).div(127.5).sub(1).transpose(1, 2)

    def _crop(self, clip: Tensor, size: int) -> Tensor:
        y, x = self.rng.randrange(clip.shape[-2] - size + 1), self.rng.randrange(clip.shape[-1] - size + 1)
        return clip[..., y : y + size, x : x + size]


def busyness(clip: Tensor) -> float:
    """How much neighbours in rows, columns and time differ in [T, 3, H, W]: edges, and above all edges that move."""
    return float(clip.diff(dim=-1).abs().mean() + clip.diff(dim=-2).abs().mean() + 2 * clip.diff(dim=0).abs().mean())


def vae_loss(
    vae: CausalVideoVAE,
    video: Tensor,
    kl_weight: float,
    decibel_weight: float,
    reference: CausalVideoVAE | None = None,
    latent_weight: float = 0.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Reconstruction of `video` [B, 3, T, H, W] from a sample of its posterior; the loss, and what it is made of.

    With a `reference`, how far the normalised latents are from those of that network counts too, as a mean square times `latent_weight`.
    """
    with torch.set_grad_enabled(vae.conv1.weight.requires_grad):  # a finished encoder is only used
        mean, log_variance = vae.encode_moments(video)
    mean, log_variance = mean.float(), log_variance.float().clamp(-20, 10)
    latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
    error = vae.decode_chunk(latent.to(video.dtype)).float() - video
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    absolute, squared = error.abs().mean(), error.square().mean((1, 2, 3, 4))
    loss = absolute + decibel_weight * torch.log(squared + LEAST).mean() + kl_weight * divergence
    parts = {"l1": absolute, "psnr": 10 * torch.log10(4 / squared).mean(), "kl": divergence}
    if reference is not None:
        with torch.no_grad():
            wanted = reference.encode_moments(video)[0].float()
        moved = (normalize_latent(mean) - normalize_latent(wanted)).square().mean()
        loss, parts["moved"] = loss + latent_weight * moved, moved
    return loss, {name: value.detach() for name, value in parts.items()}


@torch.inference_mode()
def held_out_psnr(vae: CausalVideoVAE, device: torch.device, count: int = 24, size: int = 128) -> dict[str, float]:
    """PSNR in dB on held-out clips of 17 frames, picture book and collage apart, through posterior means."""
    result = {}
    for style in ("picture_book", "collage"):
        rng = random.Random(f"vae {style}")
        scenes = [sample_scene(rng, "held_out", style) for _ in range(count)]
        scores = []
        for scene in scenes:
            video = rendered([scene], 17, size).to(device)
            scores.append(psnr(through_vae(vae, video), video))
        result[style] = sum(scores) / len(scores)
    return result


@torch.no_grad()
def start_near_identity(vae: CausalVideoVAE) -> None:
    """Weights from which a deep autoencoder learns fast: residual branches add nothing, the rest keeps the size of its input.

    The posterior starts narrow (log-variance -4), so that the first latents carry something.
    """
    for module in vae.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Conv3d)):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            torch.nn.init.zeros_(module.bias)
    for module in vae.modules():
        if isinstance(module, ResidualBlock):
            torch.nn.init.zeros_(module.residual[-1].weight)
        elif isinstance(module, FrameAttention):
            torch.nn.init.zeros_(module.proj.weight)
    channels = vae.config.latent_channels
    vae.conv1.weight[channels:] = 0
    vae.conv1.bias[channels:] = -4


def convolution_matrices(network: torch.nn.Module) -> list[torch.nn.Parameter]:
    """The weights that Muon trains."""
    return [p for p in network.parameters() if p.ndim >= 4 and p.shape[1] > 1]


def trunk_matrices(vae: CausalVideoVAE) -> list[torch.nn.Parameter]:
    """The matrices outside residual branches, through which the whole signal passes: the loss is far steeper along these."""
    branches = [module.residual for module in vae.modules() if isinstance(module, ResidualBlock)]
    branches += [module for module in vae.modules() if isinstance(module, FrameAttention)]
    beside = {id(p) for branch in branches for p in branch.parameters()}
    return [p for p in convolution_matrices(vae) if id(p) not in beside]


def start_straight(vae: CausalVideoVAE, pool: ClipPool, config: dict[str, Any], run: Run, device: torch.device) -> None:
    """Train the linear cascade of the network alone, for `straight_steps`, then make the whole network compute the same."""
    cascade = cascade_of(vae)
    optimizers = Optimizers(cascade, convolution_matrices(cascade), config["straight_lr"], config["straight_muon_lr"])
    clock = Clock(config["straight_steps"])
    for step in range(config["straight_steps"]):
        if run.stop_asked:
            raise SystemExit("stopped before the first checkpoint: the same command starts again")
        video = pool.batch(config["batch"], config["frames"][step % len(config["frames"])]).to(device)
        with mixed_precision(device):
            _, rebuilt = straight(vae, video)
        squared = (rebuilt.float() - video).square().mean()
        squared.backward()
        torch.nn.utils.clip_grad_norm_(cascade.parameters(), config["grad_clip"])
        optimizers.step(learning_rate_factor(clock, config["warmup"]))
        forget_the_past(vae)
        clock.tick()
        if step % 50 == 0:
            run.log(straight=step, minutes=clock.spent / 60, mse=float(squared.detach()))
    settle(vae, pool.batch(16, 9).to(device))


def train(config: dict[str, Any], folder: Path) -> None:
    """Run, or go on with, the training that `config` describes."""
    run, device = Run(folder, config), pick_device(config["device"])
    torch.manual_seed(config["seed"])
    vae = CausalVideoVAE(VAEConfig(base_width=config["base_width"])).to(device).optimize_layout()
    start_near_identity(vae)
    if config["latent_weight"] and not config["start_from"]:
        raise SystemExit("latent_weight holds latents near those of start_from: name that file too, or leave latent_weight at 0")
    reference = None
    if config["start_from"]:
        reference = CausalVideoVAE.from_state_dict({name: value.float() for name, value in load_file(config["start_from"]).items()})
        forget_the_past(reference)
        wider = config["base_width"] != reference.config.base_width
        vae.load_state_dict((widened(reference, config["base_width"], seed=config["seed"]) if wider else reference).state_dict())
    elif config["straight_steps"] and not run.checkpoint.exists():
        start_straight(vae, ClipPool(config, config["seed"] * 1_000_003 - 1), config, run, device)
    forget_the_past(vae)
    reference = reference.to(device).requires_grad_(False).optimize_layout() if reference and config["latent_weight"] else None
    if config["decoder_only"]:
        vae.encoder.requires_grad_(False)
        vae.conv1.requires_grad_(False)
    optimizers = Optimizers(
        vae, convolution_matrices(vae), config["lr"], config["muon_lr"], slow=trunk_matrices(vae), slow_share=config["trunk_rate"]
    )
    average = Average(vae, config["ema"])
    clock = Clock(config["steps"], config["minutes"])
    if (state := run.load()) is not None:
        vae.load_state_dict(state["model"])
        optimizers.load_state_dict(state["optimizers"])
        average.weights = {k: v.to(device) for k, v in state["average"].items()}
        clock.step, clock.spent = state["step"], state["spent"]

    def save() -> None:
        run.save({"model": vae.state_dict(), "optimizers": optimizers.state_dict(), "average": average.weights,
                  "step": clock.step, "spent": clock.spent})  # fmt: skip

    pool = ClipPool(config, config["seed"] * 1_000_003 + clock.step)
    if config["compile"]:
        torch._dynamo.config.recompile_limit = 64  # one variant for each width and length
        vae.compile_elementwise()
    sampled = clock.spent
    for step in run.steps(clock, save):
        if clock.spent - sampled > 60 * config["sample_every_minutes"]:
            sampled = clock.spent
            quality = sample_sheet(averaged(average), run.folder / f"sample_{step:06d}.png")
            run.log(step=step, minutes=clock.spent / 60, held_out=quality)
        frames = config["frames"][step % len(config["frames"])]
        batch = max(1, config["batch"] * min(config["frames"]) // frames)
        video = pool.batch(batch, frames).to(device)
        standing = sum(pool.rng.random() < config["standing_share"] for _ in range(batch))
        if standing:
            video[:standing] = draw_standing(video[:standing, :, 0], pool.rng, frames)
        for clip in video[standing:]:
            if pool.rng.random() < config["known_share"]:  # what a denoiser is shown of known frames
                clip.copy_(grey_unknown(clip[None], draw_known(pool.rng, frames))[0])
        with mixed_precision(device):
            loss, parts = vae_loss(vae, video, config["kl_weight"], config["decibel_weight"], reference, config["latent_weight"])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(vae.parameters(), config["grad_clip"])
        if torch.isfinite(norm):
            optimizers.step(learning_rate_factor(clock, config["warmup"]))
            forget_the_past(vae)
        average.update(vae, step)
        if step % 10 == 0:
            figures = {name: float(value) for name, value in parts.items()}
            run.log(step=step, minutes=clock.spent / 60, loss=float(loss.detach()), grad=float(norm), **figures)
    finished = averaged(average)
    quality = sample_sheet(finished, run.folder / "sample_end.png")
    run.log(step=clock.step, minutes=clock.spent / 60, held_out=quality)
    print(held_out_psnr(finished, torch.device("cpu")))


@torch.inference_mode()
def sample_sheet(vae: CausalVideoVAE, path: Path, size: int = 128) -> float:
    """A picture of held-out clips, each above its reconstruction, every fourth frame; their mean PSNR in dB."""
    rng = random.Random("vae samples")
    scenes = [sample_scene(rng, "held_out", style) for style in ("picture_book",) * 5 + ("collage",)]
    videos = rendered(scenes, 17, size)
    rebuilt = through_vae(vae, videos)
    save_clips(torch.stack([videos, rebuilt], dim=1).flatten(0, 1), path)
    return psnr(rebuilt, videos)


def averaged(average: Average) -> CausalVideoVAE:
    """A network with the averaged weights, on the CPU."""
    return CausalVideoVAE.from_state_dict({k: v.detach().cpu().float() for k, v in average.weights.items()})


@torch.inference_mode()
def latent_statistics(vae: CausalVideoVAE, clips: int = 96, seed: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [16] and covariance [16, 16] of latents, and the least-squares map [16, 3] from centred latents to mean cell colour (-1..1)."""
    rng = random.Random(seed)
    latents, colours = [], []
    for _ in range(clips):
        scene = sample_scene(rng, "train", "collage" if rng.random() < 0.25 else "picture_book")
        video = rendered([scene], 9, 128)
        latents.append(vae.encode_moments(video)[0][0].flatten(1))
        cells = torch.nn.functional.avg_pool2d(video[0].transpose(0, 1), 8)  # [9, 3, h, w]
        groups = torch.stack([cells[0], cells[1:5].mean(0), cells[5:9].mean(0)], dim=1)
        colours.append(groups.flatten(1))
    z, rgb = torch.cat(latents, 1).double(), torch.cat(colours, 1).double()
    mean = z.mean(1)
    centred = z - mean[:, None]
    covariance = centred @ centred.T / z.shape[1]
    to_rgb = torch.linalg.lstsq(centred.T, (rgb - rgb.mean(1, keepdim=True)).T).solution
    return mean, covariance, to_rgb


def symmetric_power(matrix: Tensor, power: float, least: float) -> Tensor:
    """A symmetric, positive matrix to a power; eigenvalues below the share `least` of the largest count as that much."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp_min(values.max() * least) ** power) @ vectors.T


def whitening(covariance: Tensor) -> Tensor:
    """The symmetric map after which latents of this covariance [16, 16] have the spread 1 in every direction."""
    return symmetric_power(covariance, -0.5, 1e-5)


def seen_spread(shown: Tensor, power: float = SEEN_POWER) -> Tensor:
    """The map [16, 16] that spreads whitened latents the more, the more they show in the pixels; the mean square spread stays 1.

    White latents leave the noise at all directions at once, while in pixels the coarse is settled before the fine. With `power` 1 equal
    steps in any direction would show equally; with 0 latents stay white. `shown` [16, 16] is the `pixel_metric` of the whitened network
    without a plain share.
    """
    shown = shown.double()
    spread = symmetric_power(shown.T @ shown, power / 2, 1e-4)
    return spread / (spread.square().sum() / len(spread)).sqrt()


def preview_rotation(colour_map: Tensor) -> Tensor:
    """The rotation [16, 16] of latents after which a map to colours [16, 3] is nearest to the host's preview factors (Procrustes)."""
    u, _, vh = torch.linalg.svd(torch.tensor(PREVIEW_FACTORS, dtype=torch.float64) @ colour_map.T)
    return u @ vh


@torch.no_grad()
def fold(vae: CausalVideoVAE, matrix: Tensor, mean: Tensor) -> None:
    """Change the network's latents from z to STD * matrix (z - mean) + MEAN, in `conv1`, and back again in `conv2`."""
    forward = torch.diag(torch.tensor(LATENT_STD, dtype=torch.float64)) @ matrix
    offset = torch.tensor(LATENT_MEAN, dtype=torch.float64) - forward @ mean
    inverse = torch.linalg.inv(forward)

    weight, bias = vae.conv1.weight[:16, :, 0, 0, 0].double(), vae.conv1.bias[:16].double()
    vae.conv1.weight[:16, :, 0, 0, 0] = (forward @ weight).float()
    vae.conv1.bias[:16] = (forward @ bias + offset).float()
    weight, bias = vae.conv2.weight[:, :, 0, 0, 0].double(), vae.conv2.bias.double()
    vae.conv2.weight[:, :, 0, 0, 0] = (weight @ inverse).float()
    vae.conv2.bias[:] = (bias - weight @ inverse @ offset).float()


def fold_statistics(vae: CausalVideoVAE, clips: int = 96) -> None:
    """Give the latents Wan's published mean and, on the average, spread, with more spread for what shows more, and preview colours."""
    mean, covariance, to_rgb = latent_statistics(vae, clips)
    white = whitening(covariance)
    probe = exact(vae)
    fold(probe, white, mean)
    matrix = seen_spread(pixel_metric(probe, plain=0.0)) @ white
    fold(vae, preview_rotation(torch.linalg.inv(matrix).T @ to_rgb) @ matrix, mean)


def export(folder: Path, target: Path) -> None:
    """Write the averaged weights of the run in `folder`, folded, in float16, as a file that any Wan VAE loader opens.

    Where only the decoder was trained, or latents were held to those of a file, they stay as they are, so that the denoiser made for them
    stays right.
    """
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    vae = CausalVideoVAE.from_state_dict({k: v.float() for k, v in state["average"].items()})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if not config.get("decoder_only") and not config.get("latent_weight"):
        fold_statistics(vae)
    target.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in vae.state_dict().items()}
    save_file(weights, target, metadata={"format": "pt", "modelspec.architecture": "wan-2.1-vae", "steps": str(state["step"])})
    stored = CausalVideoVAE.from_state_dict({name: value.float() for name, value in weights.items()})
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, held-out PSNR {held_out_psnr(stored, torch.device('cpu'))}")


if __name__ == "__main__":
    run_command(__doc__, Path("training/configs/vae.json"), DEFAULTS, train, export)
