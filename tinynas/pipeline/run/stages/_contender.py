"""A network that a run trains to the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinynas.spaces import Architecture, Genotype


@dataclass(frozen=True)
class Contender:
    """A network that is trained to the end: the winner of the search, a baseline, or a member of the front.

    Attributes:
        key: names its folder in the run directory.
        label: for readers.
        architecture: what it is.
        genotype: None for a network from outside the search space.
        shared_accuracy: its score in the search; None for a network from outside.
        group: the folder that its own is in, but for the winner's.
        repeat: which of its trainings: 0 is what is deployed, the others are for the comparison over seeds alone.
    """

    key: str
    label: str
    architecture: Architecture
    genotype: Genotype | None = None
    shared_accuracy: float | None = None
    group: str = "baselines"
    repeat: int = 0

    def repeated(self, repeat: int) -> Contender:
        """The same network, to be trained with another seed: the first repetition is its second seed."""
        key, label = f"{self.key}-seed-{repeat + 1}", f"{self.label}, seed {repeat + 1}"
        return replace(self, key=key, label=label, group="seeds", repeat=repeat)

    @property
    def folder(self) -> str:
        return "winner" if self.key == "winner" else f"{self.group}/{self.key}"

    @property
    def model_file(self) -> str:
        """The int8 model; the winner's lies where it is found first."""
        return "winner.tflite" if self.key == "winner" else f"{self.folder}/model.tflite"

    @property
    def float_file(self) -> str:
        """The float network before quantization."""
        return f"{self.folder}/float.tflite"

    def checkpoint(self, work: str) -> str:
        """Where unfinished `work` on it goes on from, unless it has a better place."""
        return f"checkpoints/{work}-{self.key}.pt"
