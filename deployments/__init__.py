"""Run on Ray Serve: settings, the composition root, and the deployments as plain classes."""
