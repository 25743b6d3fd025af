"""Tests of the fallback; helper modules can be imported as tests.fallback.xxx."""
