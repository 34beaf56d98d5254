"""The Serve application is bound as the settings say."""

import pytest

from deployments.settings import load
from serve_app.app import APPLICATION, autoscaling, bind, build_app, replicas_at_least


@pytest.mark.parametrize(("cores", "most"), [(None, 10), (1, 2), (4, 4), (64, 10)])
def test_replicas_scale_between_the_bounds_and_on_one_machine_to_its_cores(cores: int | None, most: int) -> None:
    """At least the smallest number, at most the largest, and no more than there are cores."""
    scaling = autoscaling(2, 10, 16, cores)

    assert (scaling.min_replicas, scaling.initial_replicas, scaling.max_replicas, scaling.target_ongoing_requests) == (2, 2, most, 16)
    assert (scaling.upscale_delay_s, scaling.downscale_delay_s) == (5, 300)


def test_the_deployment_bounds_what_it_takes() -> None:
    """Requests worked on at once and requests that wait are bounded, so that too many are refused."""
    settings = load({"APP__REPLICAS__MAX_ONGOING_REQUESTS": "7", "APP__REPLICAS__MAX_QUEUED_REQUESTS": "9"})

    deployment = bind(settings)._bound_deployment

    assert deployment.name == "WalletService"
    assert (deployment.max_ongoing_requests, deployment.max_queued_requests) == (7, 9)


def test_isolated_gateways_call_signers() -> None:
    """The ingress is a gateway with signers behind it, each on the nodes that are marked for it, and both always have a core."""
    settings = load(
        {
            "APP__TOPOLOGY": "isolated",
            "APP__REPLICAS__MIN": "2",
            "APP__REPLICAS__RESOURCE": "gateway",
            "APP__SIGNERS__MIN": "3",
            "APP__SIGNERS__MAX": "5",
            "APP__SIGNERS__RESOURCE": "signer",
        }
    )

    ingress = bind(settings)._bound_deployment
    (signers,) = ingress.init_args

    assert ingress.name == "Gateway"
    assert ingress.ray_actor_options == {"num_cpus": 1, "resources": {"gateway": 0.0001}}
    signer = signers._bound_deployment
    assert signer.name == "Signer"
    assert signer.ray_actor_options == {"num_cpus": 1, "resources": {"signer": 0.0001}}
    assert (signer._deployment_config.autoscaling_config.min_replicas, replicas_at_least(settings)) == (3, 5)
    assert replicas_at_least(load({"APP__REPLICAS__MIN": "2"})) == 2


def test_the_builder_reads_the_environment_and_takes_no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is passed through Serve's configuration would be kept in Ray's control plane: it is refused."""
    monkeypatch.setenv("APP__REPLICAS__MIN", "3")

    scaling = build_app({})._bound_deployment._deployment_config.autoscaling_config

    assert scaling is not None
    assert scaling.min_replicas == 3
    assert APPLICATION == "wallets"
    with pytest.raises(ValueError, match="api_key"):
        build_app({"api_key": "x"})
