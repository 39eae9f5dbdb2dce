"""The commands of ``greenroom`` that are more than a line or two, one file each."""
