"""All arithmetic between pixels, latents, tokens, frames and seconds.

A causal video VAE of the Wan family keeps the first frame as a latent frame of its own and packs every following group of
`Compression.time` frames into one more, so a clip has 4n+1 frames and n+1 latent frames.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VideoShape:
    """Size of a clip in pixels: `frames` x `height` x `width`."""

    frames: int
    height: int
    width: int


@dataclass(frozen=True)
class LatentShape:
    """Size of a clip in latent cells: `frames` latent frames of `height` x `width` cells with `channels` values each."""

    frames: int
    height: int
    width: int
    channels: int = 16


@dataclass(frozen=True)
class Compression:
    """How a VAE and a patch embedding shrink a clip: frames per latent frame, pixels per cell, cells per token (t, h, w)."""

    time: int = 4
    space: int = 8
    channels: int = 16
    patch: tuple[int, int, int] = (1, 2, 2)

    @property
    def pixel_multiple(self) -> int:
        """Width and height must be multiples of this many pixels, so that cells and patches come out whole."""
        return self.space * max(self.patch[1:])

    def is_valid_length(self, frames: int) -> bool:
        """True where `frames` is 4n+1 (for `time` = 4) and at least 1."""
        return frames >= 1 and (frames - 1) % self.time == 0

    def nearest_lengths(self, frames: int) -> tuple[int, int]:
        """The valid lengths just below (or equal) and just above (or equal) `frames`."""
        groups = max(0, frames - 1)
        below = groups // self.time * self.time + 1
        above = -(-groups // self.time) * self.time + 1
        return below, above

    def nearest_sides(self, side: int) -> tuple[int, int]:
        """The valid widths or heights in pixels just below (or equal, at least one multiple) and just above (or equal) `side`."""
        multiple = self.pixel_multiple
        return max(multiple, side // multiple * multiple), max(multiple, -(-side // multiple) * multiple)

    def frames_for_seconds(self, seconds: float, fps: float) -> int:
        """The valid length nearest to `seconds` at `fps` frames per second; a tie goes to the longer, never below 1."""
        groups = int((seconds * fps - 1) / self.time + 0.5) if seconds * fps > 1 else 0
        return groups * self.time + 1

    def latent_frames(self, frames: int) -> int:
        """Latent frames of a clip of `frames` frames.

        Raises:
            ValueError: the length is not 4n+1.
        """
        if not self.is_valid_length(frames):
            below, above = self.nearest_lengths(frames)
            raise ValueError(f"expected {self.time}n+1 frames, got {frames}; use {below} or {above}")
        return (frames - 1) // self.time + 1

    def latent(self, video: VideoShape) -> LatentShape:
        """Shape of the latents of `video`.

        Raises:
            ValueError: the length is not 4n+1, or a side is not a multiple of `space`.
        """
        for name, side in (("height", video.height), ("width", video.width)):
            if side < self.space or side % self.space:
                raise ValueError(f"expected a {name} that is a multiple of {self.space}, got {side}")
        return LatentShape(
            self.latent_frames(video.frames), video.height // self.space, video.width // self.space, self.channels
        )

    def video(self, latent: LatentShape) -> VideoShape:
        """Shape of the clip that `latent` decodes to."""
        frames = (latent.frames - 1) * self.time + 1
        return VideoShape(frames, latent.height * self.space, latent.width * self.space)

    def token_grid(self, latent: LatentShape) -> tuple[int, int, int]:
        """Tokens along time, height and width; odd sides are padded up to a whole patch."""
        t, h, w = self.patch
        return -(-latent.frames // t), -(-latent.height // h), -(-latent.width // w)

    def tokens(self, latent: LatentShape) -> int:
        """How many tokens the denoiser sees for `latent`."""
        t, h, w = self.token_grid(latent)
        return t * h * w


WAN = Compression()
"""The 8x8x4 VAE with 16 channels and the 1x2x2 patches of Wan 2.1, shared by the model in the box."""


def frames_for_seconds(seconds: float, fps: float) -> int:
    """Valid Wan length (4n+1) nearest to `seconds` at `fps`."""
    return WAN.frames_for_seconds(seconds, fps)


def is_valid_length(frames: int) -> bool:
    """True where a Wan VAE can hold exactly `frames` frames."""
    return WAN.is_valid_length(frames)


def nearest_lengths(frames: int) -> tuple[int, int]:
    """Valid Wan lengths at or below, and at or above `frames`."""
    return WAN.nearest_lengths(frames)
