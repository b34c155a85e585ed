"""Words in backticks that are not ours to define, and whose they are."""

FILES_OF_THE_USER = {
    ".venv": "made by `make setup`",
    ".venv/bin/python": "made by `make setup`",
    "train/<class>/*.png": "a data set",
}

OPTIONS = {
    "--hypothesis-profile": "pytest with hypothesis",
    "--strict": "mypy",
}

WORDS = {
    ".npz": "a suffix: NumPy",
    ".stack_sizes": "a linker section of LLVM",
    ".tflite": "a suffix: LiteRT",
    "CCR.UNALIGN_TRP": "a bit of a register of Armv7-M",
    "MicroInterpreter": "TFLM",
    "OfflineMemoryAllocation": "an entry of a file's metadata, named by TFLM",
    "VMOV": "an instruction of Armv7E-M",
    "__init__.__all__": "Python",
    "arena_used_bytes": "TFLM",
    "hi": "a register in the listing above it",
    "inference_input_type": "an option of TensorFlow's converter",
    "kws_ref_model": "a network of MLPerf Tiny",
    "person_detect": "a network of TFLM's examples",
    "pretrainedResnet_quant": "a network of MLPerf Tiny",
    "print_allocations": "TFLM",
    "python": "the interpreter",
}
