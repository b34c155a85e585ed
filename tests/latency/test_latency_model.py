"""The latency model on boards whose truth is known: fit, interval, refinement, JSON, metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tinynas.graph import Graph
from tinynas.latency import (
    InferenceMeasurement,
    LatencyError,
    LatencyModel,
    LatencyPrediction,
    Measurement,
    fit_latency,
    from_json,
    latency_metrics,
    load_latency_model,
    measurements_of,
    refine,
    save_latency_model,
    spearman,
    to_json,
)
from tinynas.lowering import Schedule, Step

TRUTH: dict[str, dict[str, float]] = {
    "conv": {"calls": 50.0, "macs": 7.0, "outputs": 30.0, "rows": 12.0},
    "pool": {"calls": 20.0, "taps": 4.0},
}
FEATURES = {"conv": ("macs", "outputs", "rows"), "pool": ("taps",)}


def ticks(variant: str, features: Mapping[str, float], truth: dict[str, dict[str, float]] = TRUTH) -> float:
    return truth[variant]["calls"] + sum(truth[variant][k] * v for k, v in features.items())


def layers(
    rng: np.random.Generator, count: int, variants: tuple[str, ...] = ("conv", "pool")
) -> list[tuple[str, dict]]:
    chosen = [variants[i % len(variants)] for i in range(count)]
    return [(v, {f: float(rng.integers(1, 5000)) for f in FEATURES[v]}) for v in chosen]


def measure(
    rows: list[tuple[str, dict]],
    truth: dict[str, dict[str, float]] = TRUTH,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> list[Measurement]:
    wobble = [0.0] * len(rows) if rng is None else rng.normal(0, noise, len(rows))
    return [Measurement(v, f, ticks(v, f, truth) * (1 + w)) for (v, f), w in zip(rows, wobble, strict=True)]


def schedule(rows: list[tuple[str, dict]]) -> Schedule:
    steps = tuple(Step(i, v, (), (), 0, (), 0, f"{v}{i}", macs=0, features=f) for i, (v, f) in enumerate(rows))
    return Schedule(Graph((), (), (), ()), steps, (), (), (), {})


def test_an_exactly_linear_board_is_recovered() -> None:
    rng = np.random.default_rng(0)
    model = fit_latency(measure(layers(rng, 60)))
    for name, coefficients in TRUTH.items():
        fitted = dict(zip(model.variants[name].features, model.variants[name].coefficients, strict=True))
        assert fitted == pytest.approx(coefficients, rel=1e-4, abs=1e-2)
    unseen = layers(rng, 9)
    prediction = model.predict(schedule(unseen))
    assert prediction.total == pytest.approx(sum(ticks(v, f) for v, f in unseen), rel=1e-6)
    assert [s.name for s in prediction.steps][:2] == ["conv0", "pool1"]
    assert prediction.low < prediction.total < prediction.high  # type: ignore[operator]  # known variants: never None


def segment(rng: np.random.Generator) -> Measurement:
    """A streamed segment of two kernels in one, which takes 30 a call, 9 a slide, and what these take."""
    within = tuple((v, f | {"calls": float(rng.integers(1, 20))}) for v, f in layers(rng, 2))
    inside = sum(TRUTH[v]["calls"] * f["calls"] + sum(TRUTH[v][k] * f[k] for k in FEATURES[v]) for v, f in within)
    slides = float(rng.integers(0, 90))
    return Measurement("stream", {"calls": 1.0, "slides": slides}, inside + 30 + 9 * slides, within)


def test_what_is_a_segments_own_is_told_from_its_kernels() -> None:
    rng = np.random.default_rng(5)
    alone, segments = measure(layers(rng, 60)), [segment(rng) for _ in range(12)]
    model = fit_latency([*segments, *alone])
    for name in ("conv", "pool"):
        assert model.variants[name].coefficients == pytest.approx(fit_latency(alone).variants[name].coefficients)
    stream = model.variants["stream"]
    assert stream.features == ("calls", "slides")
    assert stream.coefficients == pytest.approx([30, 9], rel=1e-3)
    assert stream.observations == 12
    assert model.kernel_ticks("stream", {"calls": 1.0, "slides": 4.0}) == pytest.approx(66, rel=1e-3)


def test_kernels_that_come_in_segments_alone_are_told_from_the_rest() -> None:
    """`mean_rows`, which takes 50 a layer and 3 a tap, is known once its segments' kernel is."""
    rng = np.random.default_rng(8)

    def with_head(m: Measurement, heads: int = 1) -> Measurement:
        taps = [float(rng.integers(20, 900)) for _ in range(heads)]
        within = tuple(("mean_rows", {"calls": 1.0, "taps": t}) for t in taps)
        return Measurement(m.variant, m.features, m.value + sum(50 + 3 * t for t in taps), (*m.within, *within))

    alone, plain = measure(layers(rng, 60)), [segment(rng) for _ in range(12)]
    headed = [with_head(segment(rng)) for _ in range(12)]
    model = fit_latency([*headed, *plain, *alone])
    assert model.variants["stream"].coefficients == pytest.approx([30, 9], rel=1e-3)
    assert model.variants["mean_rows"].observations == 12
    assert model.kernel_ticks("mean_rows", {"calls": 1.0, "taps": 100.0}) == pytest.approx(350, rel=1e-2)
    # Without segments whose other parts are known nothing is.
    assert "mean_rows" not in fit_latency([*headed, *alone]).variants
    twice = [with_head(segment(rng), heads=2) for _ in range(12)]
    assert "mean_rows" not in fit_latency([*twice, *plain, *alone]).variants
    refined = refine(model, [Measurement(m.variant, m.features, 2 * m.value) for m in alone], unit="cycles")
    assert set(refined.variants) == {"conv", "pool"}


def test_segments_of_kernels_that_were_never_alone_say_nothing() -> None:
    rng = np.random.default_rng(6)
    model = fit_latency([*(segment(rng) for _ in range(6)), *measure(layers(rng, 20, ("conv",)))])
    assert set(model.variants) == {"conv"}
    unseen = Measurement("stream", {"calls": 1.0}, 900.0, (("conv", {"dilated": 3.0}),))
    short = Measurement("stream", {"calls": 1.0}, 1.0, (("conv", {"macs": 3.0}),))  # less than its kernel alone
    known = measure(layers(rng, 20, ("conv",)))
    assert set(fit_latency([*known, unseen, short]).variants) == {"conv"}


def test_a_refinement_takes_kernels_from_segments_with_their_new_models() -> None:
    rng = np.random.default_rng(7)
    model = fit_latency([*measure(layers(rng, 60)), *(segment(rng) for _ in range(12))])
    twice = [Measurement(m.variant, m.features, 2 * m.value, m.within) for m in (segment(rng) for _ in range(12))]
    doubled = [Measurement(m.variant, m.features, 2 * m.value) for m in measure(layers(rng, 60))]
    refined = refine(model, [*twice, *doubled])
    assert refined.variants["stream"].coefficients == pytest.approx([60, 18], rel=1e-2)
    assert refined.variants["conv"].coefficients == pytest.approx(2 * model.variants["conv"].coefficients, rel=1e-2)
    only_kernels = refine(model, doubled)
    assert only_kernels.variants["stream"] is model.variants["stream"]


def test_coefficients_are_never_negative() -> None:
    # `b` lowers the ticks in the data; a kernel cannot be paid for looping.
    data = [
        Measurement("k", {"a": a, "b": b}, 10 * a - b) for a, b in ((10.0, 1.0), (20.0, 9.0), (30.0, 3.0), (5.0, 2.0))
    ]
    model = fit_latency(data)
    assert (model.variants["k"].coefficients >= 0).all()


def test_a_variant_never_measured_has_no_prediction() -> None:
    model = fit_latency(measure(layers(np.random.default_rng(1), 20, ("conv",))))
    prediction = model.predict(schedule([("conv", {"macs": 5.0}), ("pool", {"taps": 3.0})]))
    assert (prediction.total, prediction.low, prediction.high) == (None, None, None)
    assert prediction.unknown == ("pool",)
    assert prediction.steps[0].value is not None
    assert prediction.steps[1].value is None


def test_a_loop_count_never_measured_has_no_prediction() -> None:
    model = fit_latency([Measurement("conv", {"macs": 10.0, "dilated": 0.0}, 100.0)])
    assert model.predict(schedule([("conv", {"macs": 10.0, "dilated": 0.0})])).total == pytest.approx(100.0)
    assert model.predict(schedule([("conv", {"macs": 10.0, "dilated": 4.0})])).unknown == ("conv",)


def test_one_layer_gives_a_wide_interval() -> None:
    few = fit_latency(measure(layers(np.random.default_rng(2), 1, ("conv",))))
    many = fit_latency(measure(layers(np.random.default_rng(2), 40, ("conv",))))
    other = schedule(layers(np.random.default_rng(3), 1, ("conv",)))

    def relative_width(p: LatencyPrediction) -> float:
        assert p.total is not None
        assert p.low is not None
        assert p.high is not None
        return (p.high - p.low) / p.total

    assert relative_width(few.predict(other)) > 0.2
    assert relative_width(many.predict(other)) < 0.02


def relative_half_width(p: LatencyPrediction) -> float:
    assert p.total is not None
    assert p.high is not None
    return (p.high - p.total) / p.total


def test_collinear_loop_counts_do_not_widen_the_interval_where_they_stay_collinear() -> None:
    """All windows are 3 x 3, so rows of weights are three times the planes; then one is 5 high."""
    rng = np.random.default_rng(0)

    def layer(height: float) -> dict[str, float]:
        planes = float(rng.integers(1, 100))
        return {"planes": planes, "weight_rows": height * planes, "taps": float(rng.integers(100, 9000))}

    data = [(f, 30 + 40 * f["planes"] + 9 * f["weight_rows"] + 4 * f["taps"]) for f in (layer(3) for _ in range(20))]
    model = fit_latency([Measurement("depthwise", features, value) for features, value in data])

    def half_width(height: float) -> float:
        return relative_half_width(model.predict(schedule([("depthwise", layer(height))])))

    assert max(half_width(3) for _ in range(20)) < 0.02
    assert min(half_width(5) for _ in range(20)) > 0.1


def test_interval_covers_about_nine_in_ten_noisy_boards() -> None:
    inside = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        model = fit_latency(measure(layers(rng, 24), noise=0.05, rng=rng))
        unseen = layers(rng, 2)
        value = sum(m.value for m in measure(unseen, noise=0.05, rng=rng))
        p = model.predict(schedule(unseen))
        assert p.low is not None
        assert p.high is not None
        inside += p.low <= value <= p.high
    assert 0.85 <= inside / 120 <= 1.0


def error_of(model: LatencyModel, truth: dict[str, dict[str, float]], seed: int = 9) -> float:
    rng = np.random.default_rng(seed)
    networks = [layers(rng, 6) for _ in range(10)]
    values = [sum(ticks(v, f, truth) for v, f in rows) for rows in networks]
    return latency_metrics([model.predict(schedule(rows)) for rows in networks], values).mape


def test_refinement_with_few_layers_moves_the_model_to_the_board() -> None:
    rng = np.random.default_rng(4)
    model = fit_latency(measure(layers(rng, 60)))
    board = {v: {k: c * (1.7 if v == "conv" else 0.8) for k, c in cs.items()} for v, cs in TRUTH.items()}
    refined = refine(model, measure(layers(rng, 4), board))
    assert error_of(model, board) > 0.2
    assert error_of(refined, board) < 0.01


@pytest.mark.parametrize("seed", range(30))
def test_refinement_fits_the_measured_layers_at_least_as_well_as_the_earlier_model(seed: int) -> None:
    """In the norm that it minimises, the sum of squared relative errors, and for every kernel by itself.

    The earlier coefficients scaled by any one factor, 1 among them, are a solution that the prior adds nothing to; the
    best of these is where the minimum starts from. No other norm is promised.
    """
    rng = np.random.default_rng(seed)
    model = fit_latency(measure(layers(rng, 60)))
    board = {v: {k: c * rng.uniform(0.5, 2.0) for k, c in cs.items()} for v, cs in TRUTH.items()}
    for count in rng.integers(2, 30, size=3):
        measured = measure(layers(rng, count), board, noise=0.05, rng=rng)
        refined = refine(model, measured)
        for variant in model.variants:
            rows = [m for m in measured if m.variant == variant]
            assert squared_errors(refined, rows) < squared_errors(model, rows)
        model = refined


def squared_errors(model: LatencyModel, rows: list[Measurement]) -> float:
    predicted = [model.predict(schedule([(m.variant, dict(m.features))])).steps[0].value for m in rows]
    return sum((p / m.value - 1.0) ** 2 for p, m in zip(predicted, rows, strict=True) if p is not None)


def test_refinement_does_not_harm_a_model_that_was_right() -> None:
    rng = np.random.default_rng(5)
    model = fit_latency(measure(layers(rng, 60)))
    refined = refine(model, measure(layers(rng, 4), noise=0.01, rng=rng))
    assert error_of(refined, TRUTH) < 0.02


def test_refinement_keeps_what_was_not_measured_and_adds_what_is_new() -> None:
    rng = np.random.default_rng(6)
    model = fit_latency(measure(layers(rng, 20, ("conv",))))
    refined = refine(model, measure(layers(rng, 20, ("pool",))))
    assert set(refined.variants) == {"conv", "pool"}
    assert refined.variants["conv"] is model.variants["conv"]
    assert error_of(refined, TRUTH) < 1e-3


def test_another_unit_drops_what_was_not_measured_in_it() -> None:
    rng = np.random.default_rng(7)
    model = fit_latency(measure(layers(rng, 40)))
    cycles = {v: {k: 1.6 * c for k, c in cs.items()} for v, cs in TRUTH.items()}
    refined = refine(model, measure(layers(rng, 3, ("conv",)), cycles), unit="cycles")
    assert refined.unit == "cycles"
    assert set(refined.variants) == {"conv"}


def test_another_basis_drops_what_was_not_measured_by_it() -> None:
    """A model's cycles know no wait states: those of silicon are refined from them, and not mixed with them."""
    rng = np.random.default_rng(7)
    model = fit_latency(measure(layers(rng, 40)), unit="cycles", basis="a model")
    assert set(refine(model, measure(layers(rng, 3, ("conv",)))).variants) == {"conv", "pool"}
    silicon = {v: {k: 1.6 * c for k, c in cs.items()} for v, cs in TRUTH.items()}
    refined = refine(model, measure(layers(rng, 3, ("conv",)), silicon), basis="a cycle counter")
    assert (refined.unit, refined.basis) == ("cycles", "a cycle counter")
    assert set(refined.variants) == {"conv"}
    rows = layers(rng, 3, ("conv",))
    values = [sum(ticks(v, f, silicon) for v, f in rows)]
    assert latency_metrics([refined.predict(schedule(rows))], values).mape < 0.02


def test_overhead_is_what_an_inference_takes_beside_its_steps() -> None:
    inferences = [InferenceMeasurement(n, 1000.0 * n, 1000.0 * n + 40 - 3 * n) for n in (2, 5, 9)]
    model = fit_latency(measure(layers(np.random.default_rng(8), 40)), inferences=inferences)
    assert model.overhead.per_inference == pytest.approx(40)
    assert model.overhead.per_step == pytest.approx(-3)
    rows = layers(np.random.default_rng(10), 7)
    assert model.predict(schedule(rows)).total == pytest.approx(sum(ticks(v, f) for v, f in rows) + 40 - 21, rel=1e-5)


def test_json_round_trip(tmp_path: Path) -> None:
    model = fit_latency(measure(layers(np.random.default_rng(0), 30)), provenance={"board": "virt-m4"})
    path = tmp_path / "model.json"
    save_latency_model(model, path)
    again = load_latency_model(path)
    assert to_json(again) == to_json(model)
    rows = schedule(layers(np.random.default_rng(1), 5))
    assert again.predict(rows) == model.predict(rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a latency model"),
        ('{"format": "x"}', "format is 'x'"),
        ('{"format": "tinynas-latency-model/2", "unit": "cycles"}', "not a complete latency model"),
    ],
)
def test_what_is_no_model_says_so(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(LatencyError, match=message):
        load_latency_model(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(LatencyError, match="cannot read"):
        load_latency_model(tmp_path / "none.json")


def test_information_of_the_wrong_shape_is_refused() -> None:
    document = to_json(fit_latency(measure(layers(np.random.default_rng(0), 30))))
    document = json.loads(json.dumps(document))
    document["variants"]["conv"]["information"].pop()
    with pytest.raises(LatencyError, match="information has rows"):
        from_json(document)


def test_nothing_to_fit_is_an_error() -> None:
    with pytest.raises(LatencyError, match="no measurements"):
        fit_latency([])
    with pytest.raises(LatencyError, match="at least one tick"):
        Measurement("conv", {}, 0)


def test_a_profile_of_another_network_is_refused() -> None:
    rows = layers(np.random.default_rng(0), 3)
    assert [m.value for m in measurements_of(schedule(rows), [1, 2, 3])] == [1.0, 2.0, 3.0]
    with pytest.raises(LatencyError, match="another network"):
        measurements_of(schedule(rows), [1, 2])


def test_metrics() -> None:
    def prediction(total: float) -> LatencyPrediction:
        return LatencyPrediction("cycles", total, total * 0.95, total * 1.05, ())

    metrics = latency_metrics([prediction(100), prediction(200), prediction(330)], [100, 190, 300])
    assert metrics.networks == 3
    assert metrics.mape == pytest.approx((0 + 10 / 190 + 0.1) / 3)
    assert metrics.within_10pct == 1.0
    assert metrics.spearman == pytest.approx(1.0)
    assert metrics.coverage_90 == pytest.approx(2 / 3)
    assert metrics.half_width == pytest.approx(0.05)
    assert metrics.largest_half_width == pytest.approx(0.05)
    with pytest.raises(LatencyError, match="never measured"):
        latency_metrics([LatencyPrediction("cycles", None, None, None, (), ("conv",))], [1.0])


def test_spearman_with_ties_and_without_meaning() -> None:
    assert spearman(np.array([1.0, 2.0, 2.0, 3.0]), np.array([10.0, 20.0, 20.0, 30.0])) == pytest.approx(1.0)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    assert spearman(np.array([1.0, 1.0]), np.array([1.0, 2.0])) is None
