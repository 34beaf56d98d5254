"""The gRPC contracts, and what protoc makes of them (`make proto`): generated, never edited."""
