"""What every memory model promises: inherit `BaseMemoryModelTestCase`, and override `model`, `small` and `huge`."""

from __future__ import annotations

import pytest

from tinynas.lowering import Schedule
from tinynas.memory import MemoryModel
from tinynas.targets import Reserve


class BaseMemoryModelTestCase:
    """The contract of `MemoryModel`, for models in this project and in others. Override all three fixtures."""

    @pytest.fixture
    def model(self) -> MemoryModel:
        """A model of the memory of one board."""
        raise NotImplementedError

    @pytest.fixture
    def small(self) -> Schedule:
        """A schedule that fits the board."""
        raise NotImplementedError

    @pytest.fixture
    def huge(self) -> Schedule:
        """A schedule that fits neither the board's SRAM nor its flash."""
        raise NotImplementedError

    def test_sram_adds_up(self, model: MemoryModel, small: Schedule) -> None:
        usage = model.sram(small)
        parts = usage.arena_bytes + usage.persistent_bytes + usage.runtime_bytes + usage.stack_bytes
        assert usage.total_bytes == parts
        assert 0 < usage.arena_lower_bound_bytes <= usage.arena_bytes
        assert {region.kind for region in usage.regions} == {"sram"}

    def test_flash_adds_up(self, model: MemoryModel, small: Schedule) -> None:
        usage = model.flash(small)
        assert usage.total_bytes == usage.weights_bytes + usage.code_bytes
        assert usage.weights_bytes > 0
        assert usage.code_bytes > 0
        assert {region.kind for region in usage.regions} == {"flash"}

    def test_what_fits_has_no_reasons(self, model: MemoryModel, small: Schedule) -> None:
        verdict = model.fits(small)
        assert verdict.fits is True
        assert verdict.reasons == ()
        assert all(region.used_bytes <= region.available_bytes for region in verdict.regions)

    def test_what_does_not_fit_says_which_region_lacks_how_much(self, model: MemoryModel, huge: Schedule) -> None:
        verdict = model.fits(huge)
        assert verdict.fits is False
        short = [region for region in verdict.regions if region.used_bytes > region.available_bytes]
        assert {region.kind for region in short} == {"sram", "flash"}
        for region in short:
            missing = f"{region.used_bytes - region.available_bytes:,} too few"
            assert any(repr(region.name) in reason and missing in reason for reason in verdict.reasons)

    def test_a_reserve_is_taken_off(self, model: MemoryModel, small: Schedule) -> None:
        reserve = Reserve(sram_bytes=1000, flash_bytes=2000)
        for kind, usage, reserved in (
            ("sram", model.sram(small), model.sram(small, reserve)),
            ("flash", model.flash(small), model.flash(small, reserve)),
        ):
            taken = sum(r.available_bytes for r in usage.regions) - sum(r.available_bytes for r in reserved.regions)
            assert taken == {"sram": 1000, "flash": 2000}[kind]
            assert reserved.total_bytes == usage.total_bytes

    @pytest.mark.parametrize("kind", ["sram", "flash"])
    def test_a_reserve_can_make_it_not_fit(self, model: MemoryModel, small: Schedule, kind: str) -> None:
        room = {r.name: r for r in model.fits(small).regions if r.kind == kind}
        most = max(r.available_bytes for r in room.values())
        reserve = Reserve(sram_bytes=most if kind == "sram" else 0, flash_bytes=most if kind == "flash" else 0)
        assert model.fits(small, reserve).fits is False
