"""The use cases: commands and reports in, effects out, and a look at reality now and then."""
