"""VAPI's wire, on rooms of Daily's stand-in."""

PEOPLE = "TEST_DAILY_PEOPLE"
"""The variable that tells a bot where the people of the stand-in's rooms are (`people`)."""
