"""TinyNAS: neural architecture search for microcontrollers, from a data set to measured int8 firmware."""

__version__ = "0.1.0"
