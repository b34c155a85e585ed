"""Settings of the whole suite."""

from hypothesis import HealthCheck, settings

# A busy machine must not fail a test: no deadline, and slow generation is no error.
settings.register_profile("fresh", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
# A green test is green tomorrow: each test draws the same examples in every run. `make fuzz` draws others.
settings.register_profile("default", settings.get_profile("fresh"), derandomize=True)
settings.load_profile("default")
