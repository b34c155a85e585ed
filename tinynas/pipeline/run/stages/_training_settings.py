"""What the sections of a configuration say of trainings."""

from __future__ import annotations

from tinynas.pipeline.run import DataConfig, FinetuneConfig, QuantizationConfig, RunConfig, SupernetConfig
from tinynas.training import OPTIMIZERS, Augmentation, TrainingSettings


def augmentation(config: DataConfig) -> Augmentation:
    """The random changes of training images that the configuration asks for."""
    return Augmentation(shift=config.shift, flip=config.flip)


def training_settings(
    config: RunConfig, section: SupernetConfig | FinetuneConfig | QuantizationConfig
) -> TrainingSettings:
    """How `section` of `config` trains; with quantization in the loop batches and labels are those of `[finetune]`."""
    batches = config.finetune if isinstance(section, QuantizationConfig) else section
    return TrainingSettings(
        steps=section.steps,
        batch_size=batches.batch_size,
        optimizer=OPTIMIZERS[section.optimizer](),
        learning_rate=section.learning_rate,
        label_smoothing=batches.label_smoothing,
        augmentation=augmentation(config.data),
    )
