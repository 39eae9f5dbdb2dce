"""What travels: events to browsers and apps, messages to and from bots; versioned."""
