"""Frame interpolation, ours beside the host's and others: `python -m benchmarks.interpolate`.

Quality: every second frame of real clips is dropped and made again; PSNR and SSIM against the frame that was dropped. Speed: the host's
node and ours on the same frames and weights in one process, in turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .host_process import find_host, load_pack, room

SPEED_TARGET = 1.5
QUALITY_TARGET = -1.0  # dB that the box may lie below RIFE 4.0
MIDDLE = 0.5
SSIM_WINDOW = 11, 1.5  # window and width of SSIM, as its authors chose them

Method = Callable[[list[Tensor]], list[Tensor]]
"""Every second frame of a clip, each [1, 3, H, W] float32 in 0..1 -> the frames between them."""


def main() -> int:
    options = arguments().parse_args()
    load_host()
    numbers: dict[str, Any] = {"threads": torch.get_num_threads(), "torch": torch.__version__}
    met = True
    if "quality" not in options.skip:
        numbers["quality"], good = quality(options)
        met &= good
    if "speed" not in options.skip:
        numbers["speed"], good = speed(options)
        met &= good
    if options.json:
        Path(options.json).write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0 if met else 1


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interpolate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--skip", action="append", choices=["speed", "quality"], default=[], help="leave one part out")
    parser.add_argument("--clips", metavar="DIR", help="videos to measure quality on, instead of those in the host's template packages")
    parser.add_argument("--frames", type=int, default=24, help="frames of each clip (24)")
    parser.add_argument("--side", type=int, default=256, help="pixels of the shorter side that clips are made smaller to (256)")
    parser.add_argument("--size", default="640x360", help="size for speed (640x360)")
    parser.add_argument("--rounds", type=int, default=15, help="turns for speed (15)")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers")
    return parser


def load_host() -> None:
    """The host on its CPU, and the pack in this process."""
    sys.path.insert(0, str(find_host().comfyui))
    import comfy.options

    comfy.options.enable_args_parsing(False)
    from comfy.cli_args import args

    args.cpu = True
    load_pack()


# quality


def quality(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Table and numbers, and whether the box is as near to RIFE 4.0 as promised (where that could be measured)."""
    from .clips import load_clips

    clips = load_clips(options.clips, options.frames, options.side)
    if not clips:
        raise SystemExit("benchmarks.interpolate: expected clips, got none; name a folder of videos with --clips DIR")
    methods, absent = all_methods()
    results: dict[str, dict[str, list[float]]] = {name: {} for name in methods}
    for clip_name, frames in clips.items():
        print(f"measuring {clip_name}", file=sys.stderr, flush=True)
        truth = [shown(frame) for frame in frames[1::2]]
        for name, method in methods.items():
            with torch.inference_mode():
                made = method(frames[::2])
            results[name][clip_name] = scores(made, truth[: len(made)])
    print_quality(results, absent, clips)
    gap = distance(results)
    if gap is not None:
        print(f"\nBox to RIFE 4.0: {gap:+.2f} dB (promised: no lower than {QUALITY_TARGET:+.1f})")
    return {"methods": results, "absent": absent, "box_minus_rife": gap}, gap is None or gap >= QUALITY_TARGET


def distance(results: dict[str, dict[str, list[float]]]) -> float | None:
    """Mean PSNR of the box above that of RIFE 4.0 in dB."""
    if "RIFE 4.0" not in results:
        return None
    box, rife = (statistics.mean(psnr for psnr, _ in results[name].values()) for name in ("box (optical flow)", "RIFE 4.0"))
    return box - rife


def scores(made: Sequence[Tensor], truth: Sequence[Tensor]) -> list[float]:
    """Mean PSNR in dB and mean SSIM of frames as they would be saved, first and last ones left out: some methods need neighbours."""
    pairs = [(shown(one), other) for one, other in zip(made, truth, strict=True)][1:-1]
    return [statistics.mean(psnr(*pair) for pair in pairs), statistics.mean(ssim(*pair) for pair in pairs)]


def shown(frame: Tensor) -> Tensor:
    return frame.clamp(0, 1).mul(255).round().div(255)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean().clamp(min=1e-10)))


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity (Wang and others, 2004) of pictures [1, 3, H, W] in 0..1, mean over colours."""
    window, width = SSIM_WINDOW
    line = torch.exp(-((torch.arange(window, dtype=torch.float64) - window // 2) ** 2) / (2 * width**2))
    kernel = torch.outer(line, line) / line.sum() ** 2
    a, b = a.double(), b.double()  # variances are small differences of large numbers
    stack = torch.cat((a, b, a * a, b * b, a * b), dim=1)
    smooth = F.conv2d(stack, kernel.expand(stack.shape[1], 1, -1, -1), groups=stack.shape[1])
    mean_a, mean_b, aa, bb, ab = smooth.chunk(5, dim=1)
    c1, c2 = 0.01**2, 0.03**2
    var_a, var_b, covariance = aa - mean_a**2, bb - mean_b**2, ab - mean_a * mean_b
    return float(((2 * mean_a * mean_b + c1) * (2 * covariance + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def all_methods() -> tuple[dict[str, Method], dict[str, str]]:
    """Name -> method, and name -> why it is absent."""
    flow = room("models.optical_flow")
    methods: dict[str, Method] = {
        "box (optical flow)": pairwise(lambda a, b: flow.frames_between(flow.estimate_motion(a, b), [MIDDLE])),
        "blending": pairwise(lambda a, b: (a + b) / 2),
    }
    absent: dict[str, str] = {}
    for names, make in (
        (["RIFE 4.0", "RIFE 4.0, bfloat16"], rife_methods),
        (["OpenCV DIS flow, our splatting"], dis_methods),
        (["ffmpeg minterpolate"], ffmpeg_methods),
    ):
        try:
            methods |= dict(zip(names, make(), strict=True))
        except Exception as error:  # whatever keeps an optional method from running is told in the table
            absent |= dict.fromkeys(names, str(error).splitlines()[0])
    return methods, absent


def pairwise(between: Callable[[Tensor, Tensor], Tensor]) -> Method:
    return lambda frames: [between(first, second) for first, second in zip(frames, frames[1:])]


def rife_methods() -> list[Method]:
    """The real RIFE 4.0 in both precisions."""
    from .rife_weights import fetch

    network_class = room("models.interpolator").IFNet
    tensors = torch.load(fetch(), map_location="cpu", weights_only=True)
    methods = []
    for dtype in (torch.float32, torch.bfloat16):
        network = network_class.from_state_dict(tensors).to(dtype).optimize_layout()

        def between(first: Tensor, second: Tensor, network: Any = network) -> Tensor:
            made = network.between(network.encode_frame(first), network.encode_frame(second), [MIDDLE])
            return made[:, :, : first.shape[2], : first.shape[3]]

        methods.append(pairwise(between))
    return methods


def dis_methods() -> list[Method]:
    """OpenCV's DIS flow in our own splatting; OpenCV is fetched for this benchmark alone."""
    from .clips import opencv

    cv2, flow = opencv(), room("models.optical_flow")

    def grey(picture: Tensor) -> Any:
        return cv2.cvtColor(picture[0].movedim(0, -1).mul(255).round().byte().numpy(), cv2.COLOR_RGB2GRAY)

    def between(first: Tensor, second: Tensor) -> Tensor:
        greys = [grey(first), grey(second)]
        finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flows = torch.stack([torch.from_numpy(finder.calc(*pair, None)).movedim(-1, 0) for pair in (greys, greys[::-1])])
        return flow.frames_between(flow.motion_of(torch.cat((first, second)), flows), [MIDDLE])

    return [pairwise(between)]


def ffmpeg_methods() -> list[Method]:
    """ffmpeg's motion-compensated filter through PyAV."""
    import av
    import numpy

    def made(frames: list[Tensor]) -> list[Tensor]:
        height, width = frames[0].shape[2:]
        graph = av.filter.Graph()
        tail = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24", width, height), time_base=Fraction(1, 20))
        parts = [("format", "yuv444p"), ("minterpolate", "fps=20:mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1"), ("format", "rgb24")]
        source = tail
        for name, settings in parts:
            node = graph.add(name, settings)
            tail.link_to(node)
            tail = node
        sink = graph.add("buffersink")
        tail.link_to(sink)
        graph.configure()
        found: dict[int, Tensor] = {}
        for number, frame in enumerate([*frames, frames[-1], frames[-1]]):
            picture = av.VideoFrame.from_ndarray(frame[0].movedim(0, -1).mul(255).round().byte().numpy(), format="rgb24")
            picture.pts, picture.time_base = 2 * number, Fraction(1, 20)
            source.push(picture)
            drain(graph, found)
        source.push(None)
        drain(graph, found)
        return [found[2 * number + 1] for number in range(len(frames) - 1)]

    def drain(graph: Any, found: dict[int, Tensor]) -> None:
        while True:
            try:
                frame = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            array = numpy.array(frame.to_ndarray(format="rgb24"))
            found[round(float(frame.pts * frame.time_base) * 20)] = torch.from_numpy(array).movedim(-1, 0)[None].float() / 255

    return [made]


def print_quality(results: dict[str, dict[str, list[float]]], absent: dict[str, str], clips: dict[str, list[Tensor]]) -> None:
    from .stream import table

    rows = []
    for name, by_clip in sorted(results.items(), key=lambda entry: -statistics.mean(score[0] for score in entry[1].values())):
        means = [statistics.mean(score[index] for score in by_clip.values()) for index in (0, 1)]
        rows.append([name, f"{means[0]:.2f}", f"{means[1]:.4f}"])
    rows += [[name, "absent", why] for name, why in absent.items()]
    height, width = next(iter(clips.values()))[0].shape[2:]
    table(f"Every second frame made again, {len(clips)} clips of about {width}x{height}", ["method", "PSNR (dB)", "SSIM"], rows)


# speed


def speed(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Table and numbers, and whether ours is as much faster as promised."""
    from .stream import table

    width, height = (int(part) for part in options.size.split("x"))
    frames = moving_frames(4, height, width)
    arms = speed_arms(frames)
    outputs = {name: arm() for name, arm in arms.items()}  # also warms up
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(options.rounds):
        names = list(arms) if turn % 2 else list(reversed(arms))
        for name in names:
            began = time.perf_counter()
            arms[name]()
            seconds[name].append(time.perf_counter() - began)
    new = frames.shape[0] - 1
    rows, numbers = [], {}
    for name, times in seconds.items():
        ratios = [host / ours for host, ours in zip(seconds["host"], times, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        same = psnr(outputs[name], outputs["host"])
        rows.append([name, f"{new / statistics.median(times):.2f}", f"{middle:.2f} ({low:.2f} to {high:.2f})", f"{same:.1f}"])
        numbers[name] = {
            "seconds": times,
            "ratio": [low, middle, high],
            "psnr_to_host": same,
            "new_frames_per_second": new / statistics.median(times),
        }
    title = f"2x at {options.size}, RIFE 4.25 layout (random weights, the same for all), {torch.get_num_threads()} threads"
    table(title, ["", "new frames/s", "times the host's (quartiles)", "PSNR to the host's"], rows)
    reached = numbers["ours"]["ratio"][1]
    print(f"\nOurs as the node runs it: {reached:.2f}x the host's node (promised: {SPEED_TARGET}x)")
    return numbers, reached >= SPEED_TARGET


def moving_frames(count: int, height: int, width: int) -> Tensor:
    """A picture with detail that moves [n, H, W, 3] float32."""
    generator = torch.Generator().manual_seed(0)
    picture = sum(
        F.interpolate(torch.rand(1, 3, height // step, width // step, generator=generator), size=(height, width), mode="bilinear")
        for step in (4, 16, 64)
    )
    assert isinstance(picture, Tensor)
    return torch.stack([(picture[0] / 3).roll((number, 3 * number), (1, 2)).movedim(0, -1) for number in range(count)])


def speed_arms(frames: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The host's node; our stage as the node runs it, in the precision that is fastest here; and in float32."""
    import comfy.model_patcher
    from comfy_api.latest import InputImpl, Types
    from comfy_extras.nodes_frame_interpolation import FrameInterpolate, FrameInterpolationModelLoader

    interpolator = room("models.interpolator")
    ours: Any = room("video.host_interpolate")  # a name in it is replaced for a time
    torch.manual_seed(0)
    config = next(version for version in interpolator.VERSIONS if version.versions == "4.25 or 4.26")
    weights = interpolator.IFNet(config).state_dict()
    cpu = torch.device("cpu")
    model = comfy.model_patcher.CoreModelPatcher(FrameInterpolationModelLoader._detect_and_load(weights).eval(), cpu, cpu)
    fastest = ours.fastest_cpu_dtype
    expected = 2 * frames.shape[0] - 1

    def host() -> Tensor:
        with torch.inference_mode():
            return FrameInterpolate.execute(model, frames, 2).args[0]

    def stage(dtype: torch.dtype) -> Callable[[], Tensor]:
        def run() -> Tensor:
            ours.fastest_cpu_dtype = lambda: dtype
            try:
                video = InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, audio=None, frame_rate=Fraction(24)))
                with torch.inference_mode():
                    stream = ours.interpolate_video(video, multiplier=2, model=model).stream
                    return torch.cat(list(stream.chunks()))[:expected]
            finally:
                ours.fastest_cpu_dtype = fastest

        return run

    return {"host": host, "ours": stage(fastest()), "ours, float32": stage(torch.float32)}


if __name__ == "__main__":
    sys.exit(main())
