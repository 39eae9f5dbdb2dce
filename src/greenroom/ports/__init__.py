"""What the service needs from outside, as Protocols with their guarantees written down."""
