"""Check the manifests of this folder: `python -m kuberay.check`.

What is checked is what kubectl or Helm render, so a mistake of a patch is found as well. `schemas` judges each document by itself, `rules`
and what it imports what the documents say together, and what an operator, Ray or the service would refuse, or silently do otherwise.
"""
