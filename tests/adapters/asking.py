"""Be a replica that asks its limiter for one client as often as it can, once it is told to.

For each request it writes when that was asked and when answered, on a clock that all processes of the machine share, and whether it was
allowed.
"""

import asyncio
import os
import sys
import time

from adapters.limits import CallKind, Client, Limit, Limits
from adapters.redis import RedisConnections
from adapters.redis_limiter import LiveReplicas, RedisRateLimiter
from tests.adapters.limits_house import Watching

ASKERS = 4


async def ask(url: str, rate: float, burst: int, client: Client, seconds: float) -> None:
    """Ask for a time, with several requests at once."""
    # With more patience than a replica has: that this machine is busy is no outage.
    async with RedisConnections(url, longest_seconds=5) as connections:
        limiter = RedisRateLimiter(connections, Limits(Limit("client", rate, burst)), LiveReplicas(connections, 1), Watching())
        await limiter.acquire(Client(client.api_key_id, "somebody else"), CallKind.SIGN)
        os.write(1, b"ready\n")
        sys.stdin.readline()
        end = time.monotonic() + seconds

        async def asker() -> None:
            while (asked := time.monotonic()) < end:
                verdict = await limiter.acquire(client, CallKind.SIGN)
                os.write(1, f"{asked} {time.monotonic()} {int(verdict.wait_seconds is None)}\n".encode())
                if verdict.wait_seconds is not None:
                    await asyncio.sleep(min(verdict.wait_seconds, 0.01))

        await asyncio.gather(*(asker() for _ in range(ASKERS)))


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Client(sys.argv[4], "192.0.2.1"), float(sys.argv[5])))
