"""The tests of Greenroom."""
