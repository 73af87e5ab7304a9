"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A shared machine is slow at any moment: time is for pytest's timeout to judge.
settings.register_profile(
    "ooblexd", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ooblexd")
