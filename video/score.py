"""A sound laid under a clip, to the clip's exact length."""

from __future__ import annotations

from dataclasses import dataclass

from .sound import Sound
from .sound_edits import Delayed, Exact, Faded, Looped, Louder, Mixed, Resampled
from .stream import FrameStream

NAME = "Spacetime Add Audio"


@dataclass(frozen=True)
class Score:
    """How a sound lies under a clip. Times are seconds; `volume` multiplies the samples.

    The sound begins `start` into the clip, with what is `skip` into the sound; fades are of the piece that is heard.
    """

    start: float = 0.0
    skip: float = 0.0
    loop: bool = False
    fade_in: float = 0.0
    fade_out: float = 0.0
    volume: float = 1.0
    keep_existing: bool = False

    def laid_under(self, stream: FrameStream, sound: Sound) -> Sound:
        """The whole sound of the clip, as long as its pictures to the sample.

        Raises:
            ValueError: the sound begins after the clip's end, or nothing is left of it.
        """
        rate = sound.sample_rate
        length = round(stream.frames / stream.frame_rate * rate)
        piece = self._piece(stream, sound, length - round(self.start * rate))
        heard = Exact(Delayed(Louder(piece, self.volume), round(self.start * rate)), length)
        if not self.keep_existing or stream.sound is None:
            return heard
        return _together(stream, stream.sound, heard)

    def _piece(self, stream: FrameStream, sound: Sound, room: int) -> Sound:
        """What is heard of the sound in `room` samples."""
        if room <= 0:
            raise ValueError(
                f"{NAME}: expected a start inside the video of {stream.duration:g} s, got {self.start:g} s; choose an earlier one"
            )
        piece = sound.trimmed(self.skip, max(sound.duration - self.skip, 0.0)) if self.skip else sound
        if piece is None or not round(piece.duration * piece.sample_rate):
            raise ValueError(f"{NAME}: expected a skip inside the sound of {sound.duration:g} s, got {self.skip:g} s; choose a smaller one")
        samples = room if self.loop else min(room, round(piece.duration * piece.sample_rate))
        piece = Looped(piece, samples) if self.loop else Exact(piece, samples)
        return Faded(piece, round(self.fade_in * piece.sample_rate), round(self.fade_out * piece.sample_rate))


def _together(stream: FrameStream, *sounds: Sound) -> Sound:
    """Sounds at once, at the highest sample rate among them."""
    rate, channels = max(sound.sample_rate for sound in sounds), max(sound.channels for sound in sounds)
    return Mixed([(0, Resampled(sound, rate, channels)) for sound in sounds], round(stream.frames / stream.frame_rate * rate))
