"""Be called over gRPC: the same service as over HTTP, by the same rules. `api.grpc.server` puts it together."""
