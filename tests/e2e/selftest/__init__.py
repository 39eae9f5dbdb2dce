"""The tests' own microphone and ears, proven on a page and a peer that are not Greenroom's."""
