"""Lowering: from a graph to the schedule of kernel calls that our engine executes."""

from tinynas.lowering._addresses import address_bytes, operand_positions
from tinynas.lowering._lowering import DSP_LOWERING, Lowering, lower
from tinynas.lowering._patched_layers import PatchedLayers
from tinynas.lowering._patches import PatchError, PatchPlan
from tinynas.lowering._schedule import Band, Buffer, Schedule, Step, Stream, StreamedLayer, Structure
from tinynas.lowering._scratch import select_within
from tinynas.lowering._segments import Segments
from tinynas.lowering._storage import StreamedSteps
from tinynas.lowering._stream_cuts import stream_cuts, streamed_shape, summed_images
from tinynas.lowering._stream_layers import added_loops
from tinynas.lowering._stream_loops import output_loops
from tinynas.lowering._stream_plan import StreamError, StreamPlan
from tinynas.lowering._streams import MOST_LAYERS, MOST_READERS, segment_scratch_bytes
from tinynas.lowering._substitution import VariantError, layers, substitutes, suits, with_constants, with_variants
from tinynas.lowering._trace import LayerRows, Slides, Trace, Write, copies, rows_read, slides, trace

__all__ = [
    "DSP_LOWERING",
    "MOST_LAYERS",
    "MOST_READERS",
    "Band",
    "Buffer",
    "LayerRows",
    "Lowering",
    "PatchError",
    "PatchPlan",
    "PatchedLayers",
    "Schedule",
    "Segments",
    "Slides",
    "Step",
    "Stream",
    "StreamError",
    "StreamPlan",
    "StreamedLayer",
    "StreamedSteps",
    "Structure",
    "Trace",
    "VariantError",
    "Write",
    "added_loops",
    "address_bytes",
    "copies",
    "layers",
    "lower",
    "operand_positions",
    "output_loops",
    "rows_read",
    "segment_scratch_bytes",
    "select_within",
    "slides",
    "stream_cuts",
    "streamed_shape",
    "substitutes",
    "suits",
    "summed_images",
    "trace",
    "with_constants",
    "with_variants",
]
