"""Fakes, contract suites and hosts for tests: public, for the tests of users too."""
