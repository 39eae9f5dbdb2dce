"""Any of Pipecat's services by name or import path, made of what a record says about it."""
