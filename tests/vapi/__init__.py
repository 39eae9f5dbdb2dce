"""VAPI's wire, on rooms of Daily's stand-in."""
