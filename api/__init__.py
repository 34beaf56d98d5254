"""Be called: HTTP and gRPC. Parse, call `Custody`, render; no Ray, no sockets of its own."""
