"""What a run keeps on disk: files that are whole or absent, the journal, and the directory that holds both."""

from tinynas.pipeline.run.storage._atomic import StorageError, storage_error, write_atomically
from tinynas.pipeline.run.storage._journal import Journal, JournalError, Record, read_journal
from tinynas.pipeline.run.storage._run_directory import RunDirectory, RunDirectoryError

__all__ = [
    "Journal",
    "JournalError",
    "Record",
    "RunDirectory",
    "RunDirectoryError",
    "StorageError",
    "read_journal",
    "storage_error",
    "write_atomically",
]
