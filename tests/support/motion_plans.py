"""Good motion plans of all kinds, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

coordinate = st.floats(-10, 11)
points = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=6)
boxes = st.tuples(coordinate, coordinate, st.floats(0.0001, 20), st.floats(0.0001, 20))
unit = st.floats(0, 1)
easings = st.one_of(st.sampled_from(["linear", "ease", "ease-in", "ease-out", "ease-in-out"]), st.tuples(unit, unit, unit, unit))
ops = st.sampled_from(["add", "subtract"])
shapes = st.one_of(
    st.fixed_dictionaries({"type": st.just("stroke"), "points": points}, optional={"radius": st.floats(0.0005, 1), "op": ops}),
    st.fixed_dictionaries({"type": st.just("polygon"), "points": points}, optional={"op": ops}),
    st.fixed_dictionaries({"type": st.sampled_from(["rectangle", "ellipse"]), "box": boxes}, optional={"op": ops}),
    st.fixed_dictionaries({"type": st.just("mask")}, optional={"index": st.integers(0, 255), "op": ops}),
)
spans = {"start": st.floats(0, 0.4), "end": st.floats(0.5, 1), "easing": easings}
turning = {
    "scale": st.floats(0.02, 50),
    "proximity": st.floats(-3, 3),
    "rotation": st.floats(-36000, 36000),
    "center": st.tuples(coordinate, coordinate),
}
swaying = {"ambient": unit, "ambient_cycles": st.integers(1, 100)}
ways = st.fixed_dictionaries({"points": points}, optional={"curve": st.sampled_from(["smooth", "line"])})
motions = st.one_of(
    st.fixed_dictionaries({}, optional={"path": ways, **spans, **turning, **swaying}),
    st.fixed_dictionaries({"direction": st.floats(-3600, 3600)}, optional={"speed": st.floats(0, 20), **spans, **turning}),
)
looks = {
    "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    "hidden": st.booleans(),
    "z": st.integers(-1000, 1000),
    "strength": unit,
}
regions = st.fixed_dictionaries({"shapes": st.lists(shapes, max_size=3)}, optional={"motion": motions, "pinned": st.booleans(), **looks})
followed = st.fixed_dictionaries(
    {"start": boxes, "end": boxes},
    optional={
        "keyframes": st.lists(st.fixed_dictionaries({"time": st.floats(0.1, 0.9), "box": boxes}), max_size=1),
        "easing": easings,
        **looks,
        **swaying,
    },
)
moves = st.one_of(
    st.fixed_dictionaries({"type": st.just("pan")}, optional={"x": st.floats(-10, 10), "y": st.floats(-10, 10), **spans}),
    st.fixed_dictionaries({"type": st.just("zoom"), "factor": st.floats(0.02, 50)}, optional=spans),
    st.fixed_dictionaries({"type": st.just("roll"), "degrees": st.floats(-36000, 36000)}, optional=spans),
)
plans = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "anchors": st.booleans(),
        "regions": st.lists(regions, max_size=3),
        "boxes": st.lists(followed, max_size=2),
        "camera": st.lists(moves, max_size=3),
    },
)
