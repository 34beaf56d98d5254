"""What Ray Serve makes of `serveConfigV2`: it ignores a key that it does not know, and looks at the scaling only when it scales."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

from deployments.grpc_port import NO_SERVICES
from kuberay.documents import Document, at, items
from kuberay.release import Release
from serve_app.haproxy import CLUSTER_HOST

_POLICY = "deployments.autoscaling:by_requests_and_memory"


def serve_config(release: Release) -> Iterator[str]:
    """Every key is one of Serve's, every value one that it takes, and nothing is in it that should be in a Secret."""
    yield from _unknown(release.serve, ServeDeploySchema, "serveConfigV2")
    try:
        ServeDeploySchema.model_validate(release.serve)
    except ValidationError as error:
        yield from (f"serveConfigV2: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    yield from _proxies(release)
    yield from _application(release)
    for deployment in release.deployments:
        yield from _kept_by_ray(deployment)
        yield from _scaling(deployment)


def _proxies(release: Release) -> Iterator[str]:
    if release.serve.get("proxy_location") != "EveryNode":
        yield "serveConfigV2: proxy_location must be EveryNode: with HeadOnly workers never become ready"
    if NO_SERVICES not in items(release.serve, "grpc_options", "grpc_servicer_functions"):
        yield f"serveConfigV2: grpc_options.grpc_servicer_functions must be [{NO_SERVICES}], or no port for gRPC is opened"
    if at(release.serve, "http_options", "host") != CLUSTER_HOST:
        yield f"serveConfigV2: http_options.host must be {CLUSTER_HOST}: a pod is reached from elsewhere"


def _application(release: Release) -> Iterator[str]:
    for application in items(release.serve, "applications"):
        for name in ("args", "runtime_env"):
            if application.get(name):
                yield f"serveConfigV2: {name} is kept in Ray's control plane, where no setting of ours belongs; use ConfigMaps and Secrets"
        if application.get("import_path") != "serve_app.app:build_app":
            yield "serveConfigV2: import_path must be serve_app.app:build_app"
    if len(items(release.serve, "applications")) != 1:
        yield "serveConfigV2: there must be one application: with a second one, gRPC clients would have to name theirs"


def _kept_by_ray(deployment: Document) -> Iterator[str]:
    options = deployment.get("ray_actor_options") or {}
    for name in [key for key in ("user_config",) if deployment.get(key)] + [key for key in ("runtime_env",) if options.get(key)]:
        yield f"{deployment.get('name')}: {name} is kept in Ray's control plane and shown on its dashboard; use ConfigMaps and Secrets"


def _scaling(deployment: Document) -> Iterator[str]:
    name, scaling = deployment.get("name"), deployment.get("autoscaling_config")
    if not isinstance(scaling, dict):
        yield f"{name}: autoscaling_config is missing; Serve would run one replica"
        return
    yield from _unknown(scaling, AutoscalingConfig, f"{name}.autoscaling_config")
    try:
        AutoscalingConfig(**scaling)
    except (ValidationError, ValueError, TypeError) as error:
        yield f"{name}: autoscaling_config is refused by Serve ({str(error).splitlines()[-1].strip() or 'see its message'}); put it right"
        return
    if at(scaling, "policy", "policy_function") != _POLICY:
        yield f"{name}: the policy must be {_POLICY}, which looks at memory as well"
    if scaling.get("aggregation_function") != "max" or scaling.get("downscaling_factor") != 0.5:
        yield f"{name}: scaling down must look at the maximum and give up half of what is too many (max, 0.5)"
    if scaling.get("upscale_delay_s", 30) > 10:
        yield f"{name}: upscale_delay_s must be 10 at most: load does not wait"
    if scaling["target_ongoing_requests"] > deployment.get("max_ongoing_requests", 5):
        yield f"{name}: target_ongoing_requests must not exceed max_ongoing_requests, or nothing is ever scaled up"


def _unknown(value: object, model: type[BaseModel], path: str) -> Iterator[str]:
    """Name every key that the model has no field for, which pydantic is told to ignore."""
    if not isinstance(value, dict):
        return
    for key, below in value.items():
        field = model.model_fields.get(key)
        if field is None:
            yield f"{path}: Serve knows no {key} and ignores it; see how it is spelled"
            continue
        for inner in _models(field.annotation):
            for number, each in enumerate(below if isinstance(below, list) else [below]):
                yield from _unknown(each, inner, f"{path}.{key}" + (f"[{number}]" if isinstance(below, list) else ""))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
