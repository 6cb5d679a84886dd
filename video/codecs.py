"""What can be written: video codecs, the containers that hold them, and the encoders that this machine really has."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""File name ending -> what PyAV calls the container."""
SUFFIXES = {"mp4": ".mp4", "mov": ".mov", "matroska": ".mkv", "webm": ".webm"}
"""What PyAV calls the container -> the file name ending that is written."""
SOUND_CODECS = {"mp4": "aac", "mov": "aac", "matroska": "flac", "webm": "libopus"}
"""Container -> the encoder of its sound. In Matroska AAC would push the pictures back by its first frame; FLAC begins with them."""
_TRIAL_SIZE = 256


@dataclass(frozen=True)
class Codec:
    """One video codec.

    `best` and `worst` are the ends of its own quality scale ("crf"), at quality 100 and 0; None for a codec that loses nothing.
    `known_as` is what FFmpeg calls it when it reads a file. `smallest` side in pixels.
    """

    name: str
    known_as: str
    containers: tuple[str, ...]
    encoders: tuple[str, ...]
    pixel_formats: Mapping[int, str]
    best: float | None = None
    worst: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None
    sound: str | None = None
    smallest: int = 2

    @property
    def is_rgb(self) -> bool:
        """Whether colours are kept as they are, without a change to luma and chroma; such a codec takes odd sizes too."""
        return self.name == "ffv1"


_YUV = {8: "yuv420p", 10: "yuv420p10le"}
CODECS = {
    codec.name: codec
    for codec in (
        Codec("h264", "h264", ("mp4", "mov", "matroska"), ("libx264",), _YUV, best=8, worst=51),
        Codec(
            "h265",
            "hevc",
            ("mp4", "mov", "matroska"),
            ("libx265",),
            _YUV,
            best=10,
            worst=51,
            options={"x265-params": "log-level=error"},
            tag="hvc1",  # the only tag of H.265 that Apple's players take
            smallest=64,  # x265 damages the memory of the whole process at some sizes below, such as 48x32
        ),
        Codec("av1", "av1", ("mp4", "webm", "matroska"), ("libsvtav1", "libaom-av1"), _YUV, best=10, worst=63),
        Codec(
            "vp9",
            "vp9",
            ("webm", "mp4", "matroska"),
            ("libvpx-vp9",),
            _YUV,
            best=10,
            worst=63,
            options={"deadline": "good", "cpu-used": "4", "row-mt": "1"},
        ),
        Codec(
            "prores",
            "prores",
            ("mov", "matroska"),
            ("prores_ks",),
            {10: "yuv422p10le"},
            best=3,
            worst=0,
            options={"vendor": "apl0"},
            sound="pcm_s16le",
        ),
        Codec("ffv1", "ffv1", ("matroska",), ("ffv1",), {8: "bgr0", 10: "gbrp10le"}, options={"level": "3", "slicecrc": "1"}),
    )
}
"""Name as a person chooses it -> the codec. The scale of "prores" is its profile: 0 proxy, 1 light, 2 standard, 3 high quality."""

_HARDWARE = {
    "h264": ("h264_nvenc", "h264_qsv", "h264_amf", "h264_videotoolbox"),
    "h265": ("hevc_nvenc", "hevc_qsv", "hevc_amf", "hevc_videotoolbox"),
    "av1": ("av1_nvenc", "av1_qsv", "av1_amf"),
}
_MAKERS = {"nvenc": "NVIDIA", "qsv": "Intel", "amf": "AMD", "videotoolbox": "Apple"}
_HARDWARE_FORMATS = {8: "nv12", 10: "p010le"}


@functools.cache
def hardware_encoders() -> dict[str, tuple[str, str]]:
    """What a person chooses ("h264 (NVIDIA)") -> codec and encoder, for those that encode a frame on this machine now; tried once."""
    found = {}
    for codec, encoders in _HARDWARE.items():
        for encoder in encoders:
            if _encodes_a_frame(encoder, _HARDWARE_FORMATS[8], encoder_options(CODECS[codec], encoder, 23.0)):
                found[f"{codec} ({_MAKERS[_maker(encoder)]})"] = (codec, encoder)
    return found


@functools.cache
def software_encoder(codec: str) -> str | None:
    """The encoder of a codec that runs on every machine, None where PyAV was built without it."""
    return next((name for name in CODECS[codec].encoders if _exists(name)), None)


def available_codecs() -> list[str]:
    """Names of the codecs that can be written here, without hardware."""
    return [name for name in CODECS if software_encoder(name) is not None]


def bit_depths(codec: str, encoder: str) -> list[int]:
    """Bits of each colour that an encoder can write."""
    formats = _HARDWARE_FORMATS if _maker(encoder) in _MAKERS else CODECS[codec].pixel_formats
    known = {found.name for found in av.Codec(encoder, "w").video_formats or ()}
    return [bits for bits, name in formats.items() if name in known]


def pixel_format(codec: str, encoder: str, bit_depth: int) -> str:
    """The pixel format to give an encoder.

    Raises:
        ValueError: the encoder has no such bit depth.
    """
    possible = bit_depths(codec, encoder)
    if bit_depth not in possible:
        raise ValueError(
            f"Video: expected a bit depth of {' or '.join(map(str, possible))} for {codec}, got {bit_depth}; choose that or another codec"
        )
    return (_HARDWARE_FORMATS if _maker(encoder) in _MAKERS else CODECS[codec].pixel_formats)[bit_depth]


def crf_for(codec: str, quality: float) -> float | None:
    """A quality of 0 (smallest file) to 100 (best picture) on the codec's own scale."""
    best, worst = CODECS[codec].best, CODECS[codec].worst
    if best is None or worst is None:
        return None
    return worst + (best - worst) * quality / 100


def encoder_options(codec: Codec, encoder: str, crf: float | None) -> dict[str, str]:
    """What to open an encoder with, at `crf` on the codec's own scale or at the encoder's own choice."""
    maker = _maker(encoder)
    if maker in _MAKERS:
        return _hardware_options(maker, crf)
    options = dict(codec.options)
    if codec.name == "prores":
        options["profile"] = str(round(3.0 if crf is None else crf))
    elif codec.best is not None and crf is not None:
        options["crf"] = f"{crf:g}" if encoder.startswith("libx26") else str(round(crf))
    if encoder == "libsvtav1":
        options["preset"] = "8"
    return options


def _hardware_options(maker: str, crf: float | None) -> dict[str, str]:
    if crf is None:
        return {}
    level = str(round(min(crf, 51.0)))
    return {
        "nvenc": {"rc": "vbr", "cq": level},
        "qsv": {"global_quality": level},
        "amf": {"rc": "cqp", "qp_i": level, "qp_p": level},
        "videotoolbox": {"flags": "+qscale", "global_quality": str(round(118 * (100 - 1.6 * float(level))))},
    }[maker]


def _maker(encoder: str) -> str:
    return encoder.rpartition("_")[2]


def _exists(encoder: str) -> bool:
    try:
        av.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _encodes_a_frame(encoder: str, pixels: str, options: dict[str, str]) -> bool:
    """Whether an encoder opens and gives a packet here. Drivers fail in many ways, all of which mean no."""
    if not _exists(encoder):
        return False
    try:
        context: Any = av.CodecContext.create(encoder, "w")
        context.width = context.height = _TRIAL_SIZE
        context.pix_fmt, context.framerate, context.time_base, context.options = pixels, Fraction(24), Fraction(1, 24), options
        frame = av.VideoFrame.from_ndarray(np.zeros((_TRIAL_SIZE, _TRIAL_SIZE, 3), np.uint8), format="rgb24").reformat(format=pixels)
        frame.pts = 0
        return bool([*context.encode(frame), *context.encode(None)])
    except Exception:
        return False
