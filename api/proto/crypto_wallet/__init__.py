"""Packages `crypto_wallet.*` of the gRPC contract."""
