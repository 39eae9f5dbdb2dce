"""Whatever is sent to any door: no failure, no leak, no hang; ``make fuzz`` plays the long form."""
