"""Say how often clients may ask: the settings of rate limits."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from deployments.setting_types import Section, WithoutRedis

Rate = Annotated[float, Field(gt=0, le=1_000_000)]
Burst = Annotated[int, Field(ge=1, le=1_000_000)]


class RateLimitSettings(Section):
    """The limit of each client (API key and address), and those beside or in the place of it."""

    enabled: bool = Field(default=True, description="Limit requests")
    requests_per_second: Rate = Field(default=10, description="Sustained requests a second for one client")
    burst_size: Burst = Field(default=10, description="Requests that may come at once")
    sign_requests_per_second: Rate | None = Field(
        default=None, description="A limit of its own for signing, in the place of the general one"
    )
    sign_burst_size: Burst | None = Field(default=None, description="Signatures that may be asked for at once")
    create_requests_per_second: Rate | None = Field(default=None, description="The same for creating and importing wallets")
    create_burst_size: Burst | None = Field(default=None, description="Wallets that may be asked for at once")
    read_requests_per_second: Rate | None = Field(default=None, description="The same for everything else")
    read_burst_size: Burst | None = Field(default=None, description="Other requests that may come at once")
    key_requests_per_second: Rate | None = Field(
        default=None, description="A further limit: of one API key, from all addresses together, whatever is asked for"
    )
    key_burst_size: Burst | None = Field(default=None, description="Requests that may come at once with one API key")
    without_redis: WithoutRedis = Field(
        default=WithoutRedis.SHARE,
        description="While Redis is away: `share`, each replica keeps its part of the limits, or `refuse`, answer 503",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("sign", "create", "read", "key"):
            if (getattr(self, f"{name}_requests_per_second") is None) is not (getattr(self, f"{name}_burst_size") is None):
                msg = f"{name.upper()}_REQUESTS_PER_SECOND and {name.upper()}_BURST_SIZE belong together: set both or none"
                raise ValueError(msg)
        return self
