"""Measure what the signing path costs, and write it down so that anybody can repeat it.

`python -m benchmarks` runs every question and writes `results.json` (machine, versions, raw samples), `results.md` and plots. One file
answers one question: `primitives`, `custody`, `closed_loop`, `open_loop`, `addresses`, `topologies`. They share

- `house`: the service itself (`crypto-wallets up` in a scratch folder), further ones on the same servers, and the same application under
  bare uvicorn: each a `Target`;
- `observe`: what a run cost each process, from /proc, and what it left in the database and the metrics;
- `load`: the requests, wrk for the closed loop, `generator` for the open one;
- `results` and `confidence`: samples, medians, ratios with confidence; `report`, `plots` and `compare` read them.

README.md has the method and the last figures in words.
"""
