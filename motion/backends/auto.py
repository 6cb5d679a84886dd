"""Which backend a model wants: by what is known about its network and its file."""

from __future__ import annotations

import re
from dataclasses import dataclass

WAN_MOVE, ATI, TIME_TO_MOVE = "wan_move", "ati", "time_to_move"
BACKENDS = (WAN_MOVE, ATI, TIME_TO_MOVE)
NAMES = {WAN_MOVE: "Wan-Move", ATI: "ATI", TIME_TO_MOVE: "Time-to-Move"}
METADATA_KEY = "spacetime.motion"
"""Entry of a safetensors file's metadata that names the backend its network was trained for."""
NARROW = 1024
"""A Wan-layout network of less width than this is a small one; the smallest of Wan's own has 1536."""
SMALL = "narrow"
"""The family of such networks."""
PICTURE_CHANNELS = 20
"""Input channels that a Wan-layout network of the image-to-video form has beside the noisy latents: 4 of mask, 16 of picture."""
HUNYUAN_PICTURE_CHANNELS = {16: (16, 17), 32: (33,)}
"""The same for HunyuanVideo, by its latent channels: 1.0 (16) with the picture alone (SkyReels) or a mask too, 1.5 (32) with both."""


@dataclass(frozen=True)
class ModelFacts:
    """What can be told of a model without running it.

    `layout` is "wan", "ltx", "hunyuan" or another name; `picture_channels` counts the input channels beside the noisy latents, `width` is
    the network's, `file` the name of its file and `trained_for` what the file's metadata says, both empty where unknown.
    """

    layout: str
    latent_channels: int
    picture_channels: int = 0
    width: int = 0
    file: str = ""
    trained_for: str = ""

    @property
    def takes_wan_pictures(self) -> bool:
        """Whether it is a Wan 2.1-layout network with input channels for known frames."""
        return self.layout == "wan" and self.latent_channels == 16 and self.picture_channels == PICTURE_CHANNELS

    @property
    def takes_hunyuan_pictures(self) -> bool:
        """Whether it is a HunyuanVideo network with input channels for known frames."""
        return self.layout == "hunyuan" and self.picture_channels in HUNYUAN_PICTURE_CHANNELS.get(self.latent_channels, ())

    @property
    def takes_noise_mask(self) -> bool:
        """Whether it has no input channels for known frames, so that those are given in what is sampled and kept by a noise mask."""
        plain = self.layout == "wan" or (self.layout == "hunyuan" and self.latent_channels == 16)
        return self.layout == "ltx" or (plain and self.picture_channels == 0)

    @property
    def family(self) -> str:
        """The key of the Time-to-Move presets."""
        if self.layout == "wan" and 0 < self.width < NARROW:
            return SMALL
        if self.layout == "wan":
            newer = self.latent_channels == 48 or re.search(r"wan[ _.-]?2[ _.-]?2", self.file, re.IGNORECASE)
            return "wan2.2" if newer else "wan2.1"
        return self.layout if self.layout in ("ltx", "hunyuan", "cogvideox", "svd") else "wan2.1"


@dataclass(frozen=True)
class Choice:
    """A backend and the reason, as half a sentence that follows its name."""

    backend: str
    why: str

    def __str__(self) -> str:
        return f"{NAMES[self.backend]}: {self.why}"


def choose(facts: ModelFacts) -> Choice:
    """The backend that fits a model, and why."""
    if facts.takes_wan_pictures:
        if facts.trained_for == WAN_MOVE and facts.family == SMALL:
            return Choice(TIME_TO_MOVE, "the model knows tracks and gets them too, but it is a small one, which keeps to them only roughly")
        if facts.trained_for in (WAN_MOVE, ATI):
            return Choice(facts.trained_for, "the model's file says that it was trained for it")
        if re.search(r"wan[ _.-]?move", facts.file, re.IGNORECASE):
            return Choice(WAN_MOVE, f"the model's file is named '{facts.file}'")
        if re.search(r"(^|[ _.-])ati([ _.-]|$)", facts.file, re.IGNORECASE):
            return Choice(ATI, f"the model's file is named '{facts.file}'")
        return Choice(TIME_TO_MOVE, "the model takes a first picture, and nothing says that it was trained to follow tracks")
    return Choice(TIME_TO_MOVE, f"it works with any video model, and this one ({_described(facts)}) has no input for tracks")


def refusal(backend: str, facts: ModelFacts) -> str | None:
    """Why a backend that somebody chose cannot drive this model; None where it can."""
    if backend in (WAN_MOVE, ATI) and not facts.takes_wan_pictures:
        return f"expected an image-to-video model in the Wan 2.1 layout for {NAMES[backend]}, got {_described(facts)}; choose time_to_move"
    return None


def _described(facts: ModelFacts) -> str:
    return f"the {facts.layout} layout with {facts.latent_channels} latent and {facts.picture_channels} picture channels"
