"""Settings of the whole suite."""

from hypothesis import HealthCheck, settings

# A busy machine must not fail a test: no deadline, and slow generation is no error.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
