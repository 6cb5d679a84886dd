"""Train the denoiser of the box by flow matching: `python -m training.train_dit --config training/configs/dit.json --out DIR`.

Text to video and known-frame conditioning are trained in one network of Wan's 36-channel form. Matrices of the blocks are trained with
Muon (Keller Jordan, 2024), everything else with AdamW. A run goes through stages; in each a step trains on
single pictures (cheap, and shapes are learnt from them), on clips, and on clips with known frames or moved along tracks.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.dit import DiTConfig, WanDiT
from models.precision import fastest_dtype
from models.shapes import WAN, VideoShape
from models.text_encoder import TextEncoder, load_text_encoder
from models.vae import CausalVideoVAE
from motion.backends.auto import METADATA_KEY, WAN_MOVE
from training.latent_pool import Batch, Group, LatentPool
from training.layout_guide import LayoutGuide
from training.pixel_metric import pixel_metric
from training.refit import latent_map, refit
from training.round_trip import decoded
from training.run import Average, Clock, Optimizers, Run, learning_rate_factor, mixed_precision, pick_device, run_command, save_clips
from training.sampling import draw_sigmas, sample

DEFAULTS: dict[str, Any] = {
    "dim": 256,
    "ffn_dim": 1024,
    "num_layers": 8,
    "num_heads": 4,
    "vae": "weights/vae/spacetime_tiny_vae.safetensors",
    "text_encoder": "weights/text_encoders/spacetime_tiny_text.safetensors",
    "start_from": None,
    "start_vae": None,
    "stages": [{"until": 1.0, "groups": [{"frames": 17, "height": 96, "width": 96, "batch": 24}]}],
    "steps": 20000,
    "minutes": None,
    "thing_weight": 6.0,
    "plain_error": 0.2,
    "metric_clips": 6,
    "guide_block": 3,
    "guide_weight": 0.1,
    "guide_until": 0.7,
    "text_dropout": 0.1,
    "text_tokens": 64,
    "shift": 3.0,
    "lr": 1.5e-3,
    "muon_lr": 0.02,
    "warmup": 100,
    "decay_from": 0.3,
    "ema": 0.999,
    "grad_clip": 1.0,
    "seed": 0,
    "device": "auto",
    "compile": False,
    "sample_every_minutes": 10,
}
SAMPLE_PROMPTS = (
    "a red ball rolls across green grass",
    "a blue car drives to the left in the city at night",
    "a yellow bird flies to the right in the sky",
    "an orange fish swims to the left underwater",
    "\u4e00\u8258\u767d\u8272\u7684\u5c0f\u8239\u5728\u6d77\u4e0a\u5411\u53f3\u822a\u884c",
    "a green dinosaur walks to the right in the snow",
)


def flow_loss(model: nn.Module, noisy: Tensor, wanted: Tensor, batch: Batch, metric: Tensor, sigma: Tensor) -> Tensor:
    """Mean squared error of the predicted flow; sigma is [B], `noisy` and the `wanted` flow are like the latents of the batch
    [B, 16, T', h, w], metric [16, 16] is as `pixel_metric` gives it.

    Weights and metric change which errors are mended first, not what the best prediction is: that is the same at every cell by itself.
    """
    flow = model(torch.cat([noisy, batch.known], dim=1), sigma * 1000, batch.text, batch.text_mask)
    error = torch.einsum("ij,bjthw->bithw", metric, flow.float() - wanted)
    return (error.square() * batch.weight).mean()


def read_vae(path: str, device: torch.device) -> CausalVideoVAE:
    """The finished VAE in the precision that is fastest on `device`, for encoding the training clips."""
    weights = {name: value.float() for name, value in load_file(path).items()}
    return CausalVideoVAE.from_state_dict(weights).to(device, fastest_dtype(device)).optimize_layout()


class Trainer:
    """One run: networks, optimisers, average, pools. `sampling` is how sample sheets are made, as `sample_videos` takes it."""

    sampling: dict[str, Any] = {}

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        self.config, self.run = config, Run(folder, config)
        self.device = pick_device(config["device"])
        torch.manual_seed(config["seed"])
        self.vae = read_vae(config["vae"], self.device)
        self.encoder = load_text_encoder(config["text_encoder"]).float().eval()
        self.metric = pixel_metric(self.vae, config["plain_error"], clips=config["metric_clips"])
        sizes = {name: config[name] for name in ("dim", "ffn_dim", "num_layers", "num_heads")}
        text_dim = self.encoder.config.d_model
        self.model = WanDiT(DiTConfig(in_dim=36, text_dim=text_dim, **sizes)).to(self.device)
        if config["start_from"]:
            self.model.load_state_dict({name: value.float() for name, value in load_file(config["start_from"]).items()})
        if config["start_vae"] and not self.run.checkpoint.exists():
            refit(self.model, latent_map(read_vae(config["start_vae"], self.device), self.vae))
        self.guide = LayoutGuide(self.model.blocks[config["guide_block"]], config["dim"]).to(self.device)
        matrices = [p for name, p in self.model.named_parameters() if name.startswith("blocks.") and p.ndim == 2]
        self.optimizers = Optimizers(nn.ModuleList([self.model, self.guide]), matrices, config["lr"], config["muon_lr"])
        self.average = Average(self.model, config["ema"])
        self.clock = Clock(config["steps"], config["minutes"])
        self.stage: dict[str, Any] = {}
        self.pools: list[LatentPool] = []
        self.resume()

    def resume(self) -> None:
        """Continue from the run's checkpoint, if it has one."""
        if (state := self.run.load()) is None:
            return
        self.model.load_state_dict(state["model"])
        self.guide.load_state_dict(state["guide"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.average.weights = {k: v.to(self.device) for k, v in state["average"].items()}
        self.clock.step, self.clock.spent = state["step"], state["spent"]

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"model": self.model.state_dict(), "guide": self.guide.state_dict(), "optimizers": self.optimizers.state_dict(),
                "average": self.average.weights, "step": self.clock.step, "spent": self.clock.spent}  # fmt: skip

    def save(self) -> None:
        """Write checkpoint and pools."""
        self.run.save(self.state())
        for pool in self.pools:
            pool.save(self.pool_file(pool.group))

    def pool_file(self, group: Group) -> Path:
        """Where the pool of a group is kept."""
        return self.run.folder / f"pool_{group.name}.pt"

    def stage_pools(self) -> list[LatentPool]:
        """The pools of the stage that the clock has reached, made and filled when the stage begins."""
        stage = next(s for s in self.config["stages"] if self.clock.progress < s["until"] or s is self.config["stages"][-1])
        if self.stage is not stage:
            self.stage, self.pools = stage, []
            for entry in stage["groups"]:
                pool = LatentPool(self.vae, self.encoder, self.config, Group(**entry), self.config["seed"] * 1_000_003 + self.clock.step)
                if self.pool_file(pool.group).exists():
                    pool.load(self.pool_file(pool.group))
                started = time.monotonic()
                pool.fill(pool.group.first)
                print(f"pool {pool.group.name} of {len(pool.examples)} clips, {time.monotonic() - started:.0f} s", flush=True)
                self.pools.append(pool)
        return self.pools

    def train(self) -> None:
        """Go on until the run is done or asked to stop."""
        config, last_sample = self.config, time.monotonic()
        loss_of = torch.compile(flow_loss, dynamic=False) if config["compile"] else flow_loss
        for step in self.run.steps(self.clock, self.save):
            shown: dict[str, float] = {}
            for pool in self.stage_pools():
                if step % pool.group.every == 0:
                    pool.add(pool.group.fresh)
                    for name, batch in pool.batches().items():
                        loss, wrong = self.losses(loss_of, batch)
                        (loss + wrong).backward()
                        shown |= {name: float(loss.detach()), f"layout {name}": float(wrong.detach())}
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), config["grad_clip"])
            if torch.isfinite(norm):
                self.optimizers.step(learning_rate_factor(self.clock, config["warmup"], config["decay_from"]))
            self.average.update(self.model, step)
            if step % 10 == 0:
                pooled = sum(len(pool.examples) for pool in self.pools)
                self.run.log(step=step, minutes=self.clock.spent / 60, grad=float(norm), pools=pooled, **shown)
            if time.monotonic() - last_sample > 60 * config["sample_every_minutes"]:
                self.sample_sheet(self.run.folder / f"sample_{step:06d}.png")
                last_sample = time.monotonic()
        self.sample_sheet(self.run.folder / "sample_end.png")

    def losses(self, loss_of: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss of one batch at random noise levels, and the weighted error of the layout that its tokens tell (nought late in the run)."""
        batch = batch.to(self.device)
        sigma = draw_sigmas(len(batch.latent), self.config["shift"], self.device)
        noise = torch.randn_like(batch.latent)
        noisy = torch.lerp(batch.latent, noise, sigma.view(-1, 1, 1, 1, 1))
        with mixed_precision(self.device):
            loss = loss_of(self.model, noisy, noise - batch.latent, batch, self.metric, sigma)
            guided = self.clock.progress < self.config["guide_until"]
            wrong = self.config["guide_weight"] * self.guide.loss(batch.layout) if guided else torch.zeros_like(loss)
        return loss, wrong

    def copy(self, weights: dict[str, Tensor]) -> WanDiT:
        """A network of the same sizes with `weights`, to sample from."""
        model = WanDiT(self.model.config).to(self.device)
        model.load_state_dict(weights)
        return model.eval().requires_grad_(False)

    def sample_sheet(self, path: Path) -> None:
        """A picture of the fixed prompts: a row each, every fourth frame."""
        model = self.copy(self.average.weights)
        group = next(pool.group for pool in self.stage_pools() if pool.group.frames > 1)
        shape = VideoShape(group.frames, group.height, group.width)
        save_clips(sample_videos(model, self.vae, self.encoder, list(SAMPLE_PROMPTS), shape, **self.sampling), path)


@torch.inference_mode()
def sample_videos(
    model: WanDiT,
    vae: CausalVideoVAE,
    encoder: TextEncoder,
    prompts: list[str],
    shape: VideoShape,
    seed: int = 0,
    steps: int = 20,
    guidance: float = 3.0,
    shift: float = 3.0,
    extra: Tensor | None = None,
) -> Tensor:
    """Clips [B, 3, T, H, W] in -1..1 (float32) of one prompt each; the noise of prompt i comes from seed + i."""
    device = next(model.parameters()).device
    size = WAN.latent(shape)
    dims = (size.channels, size.frames, size.height, size.width)
    noise = torch.stack([torch.randn(dims, generator=torch.Generator().manual_seed(seed + i)) for i in range(len(prompts))])
    text, mask = (part.to(device) for part in encoder.encode(prompts))
    empty, empty_mask = (part.to(device) for part in encoder.encode([""] * len(prompts)))
    if extra is None:
        extra = torch.zeros(len(prompts), 20, *dims[1:])
    with mixed_precision(device):
        latent = sample(model, noise.to(device), extra.to(device), (text, mask), (empty, empty_mask), steps, guidance, shift)
    return decoded(vae, latent)


def train(config: dict[str, Any], folder: Path) -> None:
    """Run, or go on with, the training that `config` describes."""
    Trainer(config, folder).train()


def export(folder: Path, target: Path, more: dict[str, str] | None = None) -> None:
    """Write the averaged weights of a run in bfloat16, with the metadata from which any Wan loader builds the network, and `more` of it."""
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    built = DiTConfig.from_state_dict(state["average"], {"num_heads": config["num_heads"]})
    target.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.bfloat16().contiguous() for name, value in state["average"].items()}
    metadata = {"format": "pt", "config": json.dumps(built.metadata()), "steps": str(state["step"])} | (more or {})
    if any(group.get("tracked") for stage in config["stages"] for group in stage["groups"]):
        metadata[METADATA_KEY] = WAN_MOVE  # Apply Motion then steers it by tracks
    save_file(weights, target, metadata=metadata)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB after {state['step']} steps, {state['spent'] / 60:.0f} minutes")


if __name__ == "__main__":
    run_command(__doc__, Path("training/configs/dit.json"), DEFAULTS, train, export)
